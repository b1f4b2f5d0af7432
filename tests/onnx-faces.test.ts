import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { inverse, moved, similarity, TEMPLATE, toAligned } from '../src/inference/foreign/faces/align.ts';
import type { Face } from '../src/inference/foreign/faces/face.ts';
import { isSameFace } from '../src/inference/foreign/faces/same-face.ts';
import { cutOut, putBack } from '../src/inference/foreign/faces/sample.ts';
import { facesOfYunet, YUNET_OUTPUTS } from '../src/inference/foreign/faces/yunet.ts';
import { createLog } from '../src/log.ts';
import { draftManifest, readFacts } from '../src/providers/onnx/draft.ts';
import { FAMILIES } from '../src/providers/onnx/families.ts';
import { createOnnxProvider } from '../src/providers/onnx.ts';
import type { Provider, RestoreRequest } from '../src/providers/provider.ts';
import { photoPath, psnr, readPhoto, writePng } from './fixtures/damage.ts';
import { pattern } from './helpers/nets.ts';
import { ONNX_FIXTURES, putModel } from './helpers/onnx-models.ts';

// Each model starts a process; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

/** Where `yunet.onnx` sees a face in a picture of twice its size. */
const FACE = { x: 128, y: 112, side: 80 } as const;
const SIDE = 320;

let folder: string;
let provider: Provider;
let withoutFace: Raster;
let withFace: Raster;
const pixels = createPixelPool({ size: 2 });
const open = (models = folder): Promise<Provider> =>
  createOnnxProvider({ folder: models, allowRestricted: false, pixels, log: createLog('silent') });

/** A part of a photo; with a blue square, which the tiny detector takes for a face. */
async function picture({ face, channels = 3 }: { face: boolean; channels?: 1 | 3 | 4 }): Promise<Raster> {
  const photo = await readPhoto(photoPath('coffee.png'));
  const raster = createRaster({ width: SIDE, height: SIDE, channels, depth: 8 });
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const isFace = face && x >= FACE.x && x < FACE.x + FACE.side && y >= FACE.y && y < FACE.y + FACE.side;
      for (let c = 0; c < channels; c++) {
        const level = photo.data[((y + 40) * photo.width + x + 40) * photo.channels + Math.min(c, 2)]!;
        const blue = [20, 20, 230, 200][c]! + (c < 3 ? level / 16 : 0);
        raster.data[(y * SIDE + x) * channels + c] = isFace ? blue : c === 3 ? 255 : level / 2 + 60;
      }
    }
  }
  return raster;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-faces-'));
  for (const model of ['yunet', 'gfpgan']) await putModel(folder, model);
  const nan = { task: 'detect', fixedSize: true, tile: { size: 160, overlap: 0 }, range: [0, 255], colours: 'BGR' };
  await putModel(folder, 'yunet-nan', nan);
  await putModel(folder, 'denoise');
  const face = { task: 'face', fixedSize: true, tile: { size: 64, overlap: 0 }, range: [-1, 1] };
  await putModel(folder, 'yunet-open', { ...nan, tile: { size: 192, overlap: 0 } });
  for (const detector of ['yunet-nan', 'yunet-open', 'denoise', 'nobody']) {
    await putModel(folder, 'gfpgan', { ...face, name: `by-${detector}`, detector });
  }
  for (const model of ['constant', 'nan-bright']) {
    await putModel(folder, model, { ...face, name: `faces-${model}`, detector: 'yunet' });
  }
  provider = await open();
  withFace = await picture({ face: true });
  withoutFace = await picture({ face: false });
});
afterAll(async () => {
  await provider.close?.();
  await pixels.close();
  await rm(folder, { recursive: true, force: true });
});

async function restore(raster: Raster, model: string, options: RestoreRequest['options'] = {}) {
  const path = join(folder, `${Math.random()}.png`);
  await writePng(raster, path);
  const { width, height } = raster;
  const input = { path, format: 'png', width, height, bytes: (await stat(path)).size, mimeType: 'image/png' };
  const stages: string[] = [];
  const { picture: made, report } = await provider.restore(
    { restorationId: 'r', attempt: 1, model, parameters: {}, options, input },
    { signal: new AbortController().signal, onProgress: ({ stage }) => stages.push(stage) },
  );
  if (made.kind !== 'raster' || report.gate === null) throw new Error('There is a raster and a gate.');
  return { ...made, step: report.steps[0]!, gate: report.gate, stages: new Set(stages) };
}

/** The largest change outside the face, and the mean change in its middle. */
function changes(before: Raster, after: Raster): { outside: number; inside: number } {
  let [outside, inside, count] = [0, 0, 0];
  const { channels } = before;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const [u, v] = [(x - FACE.x) / FACE.side, (y - FACE.y) / FACE.side];
      const isIn = u >= 0 && u < 1 && v >= 0 && v < 1;
      const isMiddle = u > 0.25 && u < 0.75 && v > 0.25 && v < 0.75;
      for (let c = 0; c < channels; c++) {
        const at = (y * SIDE + x) * channels + c;
        const change = after.data[at]! - before.data[at]!;
        if (!isIn) outside = Math.max(outside, Math.abs(change));
        if (isMiddle && c < 3) [inside, count] = [inside + change, count + 1];
      }
    }
  }
  return { outside, inside: inside / count };
}

describe('aligning a face', () => {
  const turned = { a: 1.7 * Math.cos(0.4), b: 1.7 * Math.sin(0.4), dx: -31, dy: 12 };

  it('finds the turn, the size and the place again, also of points that fit only nearly', () => {
    const found = similarity(
      TEMPLATE,
      TEMPLATE.map((point) => moved(turned, point)),
    )!;
    expect(found.a).toBeCloseTo(turned.a, 6);
    expect(found.b).toBeCloseTo(turned.b, 6);
    expect([found.dx, found.dy]).toEqual([expect.closeTo(turned.dx, 5), expect.closeTo(turned.dy, 5)]);
    const nearly = TEMPLATE.map((point, i) => {
      const { x, y } = moved(turned, point);
      return { x: x + 0.01 * Math.sin(i), y: y + 0.01 * Math.cos(3 * i) };
    });
    expect(similarity(TEMPLATE, nearly)!.a).toBeCloseTo(turned.a, 1);
  });

  it('and the way back', () => {
    const point = { x: 12, y: -7 };
    const there = moved(inverse(turned), moved(turned, point));
    expect([there.x, there.y]).toEqual([expect.closeTo(12, 6), expect.closeTo(-7, 6)]);
  });

  it('gives up on points that are all one', () => {
    const one = { x: 5, y: 5 };
    expect(similarity([one, one, one, one, one], TEMPLATE)).toBeUndefined();
  });

  it.each([
    ['as it stands', 0, 1.6],
    ['turned, of more pixels than the model takes', 0.35, 0.6],
    ['upside down, of fewer', Math.PI, 2.2],
  ])('a face cut out and put back unchanged is the photo again: %s', async (_name, angle, scale) => {
    const photo = await picture({ face: false });
    const side = 128;
    const [a, b] = [scale * Math.cos(angle), scale * Math.sin(angle)];
    // The middle of the photo lies in the middle of the square.
    const to = { a, b, dx: side / 2 - (a - b) * 160, dy: side / 2 - (b + a) * 160 };
    const target = createRaster(photo);
    target.data.set(photo.data);
    putBack(target, cutOut(photo, to, side, 'edge'), to, 1);
    expect(psnr(target, photo)).toBeGreaterThan(scale < 1 ? 34 : 42);
    const nothing = createRaster(photo);
    nothing.data.set(photo.data);
    putBack(nothing, cutOut(photo, to, side, 'edge'), to, 0);
    expect(nothing.data).toEqual(photo.data);
  });

  it.each([
    ['grey', 1, 8],
    ['grey with transparency', 2, 8],
    ['colour with transparency', 4, 8],
    ['16 bits deep', 3, 16],
  ] as const)('a face half outside a picture is cut and put back: %s', (_name, channels, depth) => {
    const photo = pattern({ width: 90, height: 70, channels, depth });
    const to = { a: 1.3, b: 0.2, dx: 20, dy: -25 };
    const face = cutOut(photo, to, 64, 'edge');
    expect(face.data.every((value) => value >= 0 && value <= 1)).toBe(true);
    const target = createRaster(photo);
    target.data.set(photo.data);
    const white = new Float32Array(face.data.length).fill(1);
    putBack(target, { ...face, data: white }, to, 1);
    const colours = channels < 3 ? 1 : 3;
    let [brightest, changedAlpha] = [0, 0];
    for (let i = 0; i < target.data.length; i++) {
      const change = target.data[i]! - photo.data[i]!;
      if (i % channels < colours) brightest = Math.max(brightest, change);
      else changedAlpha += Math.abs(change);
    }
    expect(changedAlpha).toBe(0);
    expect(brightest).toBeGreaterThan(depth === 16 ? 20_000 : 80);
  });

  it('a picture of one pixel has room for a face, too', () => {
    const dot = createRaster({ width: 1, height: 1, channels: 3, depth: 8 });
    dot.data.set([200, 100, 50]);
    const to = { a: 3, b: 0, dx: 30, dy: 30 };
    const face = cutOut(dot, to, 64, 'edge');
    expect([face.data[0], face.data[64 * 64]]).toEqual([expect.closeTo(200 / 255, 5), expect.closeTo(100 / 255, 5)]);
    putBack(dot, face, to, 1);
    expect([...dot.data]).toEqual([200, 100, 50]);
  });

  it('looks at 12 megapixels, and puts back a face of thousands of pixels, for less than four passes over the picture', () => {
    const large = createRaster({ width: 4000, height: 3000, channels: 3, depth: 8 });
    const to = { a: 0.2, b: 0.02, dx: -50, dy: -50 };
    const best = (work: () => void) =>
      Math.min(
        ...[1, 2, 3].map(() => {
          const began = performance.now();
          work();
          return performance.now() - began;
        }),
      );
    const pass = best(() => large.data.forEach((value, i) => (large.data[i] = 255 - value)));
    const faces = best(() => {
      cutOut(large, { a: 640 / 4000, b: 0, dx: 0, dy: 0 }, 640, 'black');
      putBack(large, cutOut(large, to, 512, 'edge'), to, 1);
    });
    expect(faces / pass, `${faces} ms to ${pass} ms`).toBeLessThan(4);
  });

  it('knows a face that has been restored from another one, a blob or its negative', () => {
    const face = pattern({ width: 64, height: 64, channels: 3, depth: 8 });
    const before = cutOut(face, { a: 1, b: 0, dx: 0, dy: 0 }, 64, 'edge');
    const as = (change: (value: number, i: number) => number) => ({ ...before, data: before.data.map(change) });
    expect(
      isSameFace(
        before,
        as((value) => value * 0.9 + 0.05),
      ),
    ).toBe(true);
    expect(
      isSameFace(
        before,
        as((value, i) => value + 0.1 * Math.sin(i * 7)),
      ),
    ).toBe(true);
    expect(
      isSameFace(
        before,
        as(() => 0.5),
      ),
    ).toBe(false);
    expect(
      isSameFace(
        before,
        as((value) => 1 - value),
      ),
    ).toBe(false);
    expect(
      isSameFace(
        before,
        as((value) => value + 0.3),
      ),
    ).toBe(false);
    expect(
      isSameFace(
        before,
        as((_value, i) => before.data[(i + 2048) % 4096]!),
      ),
    ).toBe(false);
  });

  it('brings eyes and mouth to where models want them', () => {
    const points = TEMPLATE.map(({ x, y }) => ({ x: 100 + 50 * y, y: 200 - 50 * x })) as unknown as Face['points'];
    const to = toAligned({ score: 1, x: 0, y: 0, width: 1, height: 1, points }, 512)!;
    const eye = moved(to, points[0]);
    expect([eye.x, eye.y]).toEqual([expect.closeTo(TEMPLATE[0].x * 512, 3), expect.closeTo(TEMPLATE[0].y * 512, 3)]);
  });
});

describe('what YuNet answers', () => {
  const LENGTHS: Readonly<Record<string, number>> = { cls: 1, obj: 1, bbox: 4, kps: 10 };
  /** Nothing found in a square of 64 pixels. */
  const nothing = (): Record<string, Float32Array> =>
    Object.fromEntries(
      YUNET_OUTPUTS.map((name) => {
        const [part, stride] = name.split('_');
        return [name, new Float32Array((64 / Number(stride)) ** 2 * LENGTHS[part!]!)];
      }),
    );

  it('is faces in pixels, the likelier of two on each other, and no unsound one', () => {
    const outputs = nothing();
    // Column 3, row 2 of the grid of 16.
    const at = 2 * 4 + 3;
    outputs['cls_16']![at] = 0.9;
    outputs['obj_16']![at] = 1.4;
    outputs['bbox_16']!.set([0.5, 0.25, Math.log(2), Math.log(1.5)], at * 4);
    outputs['kps_16']!.set([0, 0.5, 1, 0.5, 0.5, 0.75, 0.25, 1, 0.75, 1], at * 10);
    // Nearly the same box, less sure, on the grid of 8; and one without an end.
    outputs['cls_8']!.fill(0.8, 4 * 8 + 6, 4 * 8 + 7);
    outputs['obj_8']!.fill(0.8, 4 * 8 + 6, 4 * 8 + 7);
    outputs['bbox_8']!.set([1, 0.5, Math.log(4), Math.log(3)], (4 * 8 + 6) * 4);
    outputs['cls_32']![0] = outputs['obj_32']![0] = 1;
    outputs['bbox_32']!.set([0, 0, 1000, 0]);
    const [face, ...others] = facesOfYunet(outputs, 64)!;
    expect(others).toEqual([]);
    expect(face!.score).toBeCloseTo(Math.sqrt(0.9), 5);
    const { x, y, width, height } = face!;
    expect([x, y, width, height].map(Math.round)).toEqual([40, 24, 32, 24]);
    expect(face!.points[0]).toEqual({ x: 48, y: 40 });
    expect(face!.points[4]).toEqual({ x: 60, y: 48 });
  });

  it('is nothing where an output is missing or of another length', () => {
    expect(facesOfYunet(nothing(), 64)).toEqual([]);
    expect(facesOfYunet(nothing(), 96)).toBeUndefined();
    expect(facesOfYunet({ ...nothing(), kps_8: undefined }, 64)).toBeUndefined();
  });
});

describe('a model for faces', () => {
  it('works on the face and leaves the rest of the photo, to the last sample', async () => {
    const { raster, step, stages } = await restore(withFace, 'gfpgan');
    expect(step).toMatchObject({ ran: true, strength: 1 });
    expect(stages).toContain('FACES');
    const { outside, inside } = changes(withFace, raster);
    expect(outside).toBe(0);
    // 0.05 of the range of −1 to 1 are 6.4 levels.
    expect(inside).toBeCloseTo(6.4, 0);
  });

  it('half of it at half the strength, and nothing at none', async () => {
    const half = await restore(withFace, 'gfpgan', { strength: 0.5 });
    expect(changes(withFace, half.raster).inside).toBeCloseTo(3.2, 0);
    const none = await restore(withFace, 'gfpgan', { strength: 0 });
    expect(none.unchanged).toBe(true);
  });

  it('keeps transparency', async () => {
    const clear = await picture({ face: true, channels: 4 });
    const { raster } = await restore(clear, 'gfpgan');
    expect(raster.channels).toBe(4);
    expect(changes(clear, raster)).toEqual({ outside: 0, inside: expect.closeTo(6.4, 0) });
    const alphas = (of: Raster): number[] => [...of.data].filter((_, i) => i % 4 === 3);
    expect(alphas(raster)).toEqual(alphas(clear));
  });

  it('says so where the photo shows no face, and gives the photo back', async () => {
    const { unchanged, step, gate } = await restore(withoutFace, 'gfpgan');
    expect(unchanged).toBe(true);
    expect(step).toMatchObject({ ran: false, reason: 'No face was found in the photo.' });
    expect(gate.verdict).not.toBe('DROPPED');
    const grey = await restore(await picture({ face: true, channels: 1 }), 'gfpgan');
    expect(grey.unchanged).toBe(true);
  });

  it.each(['constant', 'nan-bright'])('refuses the work of one that answers no face: %s', async (model) => {
    const { unchanged, gate } = await restore(withFace, `faces-${model}`);
    expect([unchanged, gate.verdict]).toEqual([true, 'REFUSED']);
  });

  it('takes a detector that answers nonsense for one that finds nobody', async () => {
    const { unchanged, step } = await restore(withFace, 'by-yunet-nan');
    expect([unchanged, step.reason]).toEqual([true, 'No face was found in the photo.']);
  });

  it('cannot be used without its detector, and says what to do', async () => {
    const { signal } = new AbortController();
    const reasonOf = async (model: string) => (await provider.status(signal, model)).reason;
    expect(await reasonOf('gfpgan')).toBeUndefined();
    expect(await reasonOf('by-nobody')).toMatch(
      /nobody, is not there: add one with `npm run cli -- models add FILE --like yunet`/,
    );
    expect(await reasonOf('by-denoise')).toMatch(/^denoise does not find faces/);
    expect(await reasonOf('yunet')).toMatch(/restores nothing itself/);
    await expect(restore(withFace, 'yunet')).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
  });

  it('cannot be used with a detector that fails on a plain picture', async () => {
    const { reason } = await provider.status(new AbortController().signal, 'by-yunet-open');
    expect(reason).toMatch(/^gfpgan\.onnx cannot be used: its detector yunet-open\.onnx fails on a plain grey picture/);
  });

  it('cannot be used with a detector whose file is another one, or is none', async () => {
    const models = await mkdtemp(join(tmpdir(), 'heirloom-faces-'));
    await putModel(models, 'gfpgan');
    await putModel(models, 'yunet');
    await writeFile(join(models, 'yunet.onnx'), 'no model');
    const broken = await open(models);
    const { available, reason } = await broken.status(new AbortController().signal, 'gfpgan');
    expect([available, reason]).toEqual([false, expect.stringMatching(/its detector yunet\.onnx is /)]);
    await broken.close?.();
    await rm(models, { recursive: true });
  });
});

describe('models add --like', () => {
  const draft = async (model: string, family: string, more: object = {}) => {
    const opened = await readFacts(join(ONNX_FIXTURES, `${model}.onnx`), new AbortController().signal);
    return draftManifest(FAMILIES[family]!, opened, { name: model, ...more });
  };

  it('writes the manifests of detectors and of models for faces', async () => {
    expect(await draft('yunet', 'yunet')).toMatchObject({
      task: 'detect',
      colours: 'BGR',
      range: [0, 255],
      fixedSize: true,
      tile: { size: 160 },
    });
    expect(await draft('gfpgan', 'gfpgan')).toMatchObject({ task: 'face', range: [-1, 1], detector: 'yunet' });
    expect(await draft('codeformer', 'codeformer', { detector: 'mine' })).toMatchObject({
      detector: 'mine',
      parameters: { weight: { type: 'float64', shape: [1], default: 0.5 } },
    });
  });

  it('refuses a file that is none', async () => {
    await expect(draft('gfpgan', 'yunet')).rejects.toThrow(/has no output cls_8 .*only detectors of the YuNet family/);
  });
});
