import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { createForeignRunner } from '../src/inference/foreign/runner.ts';
import { createLog } from '../src/log.ts';
import { createOnnxProvider, type OnnxOptions } from '../src/providers/onnx.ts';
import { readShelf, type ShelfEntry } from '../src/providers/onnx/shelf.ts';
import type { Provider, RestoreOptions, RestoreRequest } from '../src/providers/provider.ts';
import { describeProvider } from './contracts/provider.ts';
import { photoPath, psnr, readPhoto, samplePath, writePng } from './fixtures/damage.ts';
import { modelProcesses, putModel } from './helpers/onnx-models.ts';

// Each model starts a process; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 90_000 });

const MODELS = ['esrgan-2x', 'esrgan-4x-fixed', 'swin2sr-2x', 'denoise', 'fbcnn', 'ddcolor', 'lama', 'bgr'];

let folder: string;
let models: string;
let provider: Provider;
let shelf: ShelfEntry[];
const runner = createForeignRunner({
  executionProviders: ['cpu'],
  limits: { memory: 4e9, loadMs: 60_000, probeMs: 60_000, tileMs: 60_000 },
  log: createLog('silent'),
});
const open = (options: Partial<OnnxOptions> = {}): Promise<Provider> =>
  createOnnxProvider({ folder: models, allowRestricted: false, log: createLog('silent'), ...options });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-onnx-'));
  models = join(folder, 'models');
  for (const model of MODELS) await putModel(models, model);
  await putModel(models, 'denoise', { name: 'denoise-small', tile: { size: 128, overlap: 16 } });
  await putModel(models, 'denoise', { name: 'found-out', outputRange: 'detect' });
  provider = await open();
  shelf = await readShelf(models, false);
});
afterAll(async () => {
  await runner.close();
  await provider.close?.();
  await rm(folder, { recursive: true, force: true });
});

type Extra = Partial<Pick<RestoreRequest, 'parameters' | 'mask'>>;

async function requestFor(
  path: string,
  model: string,
  options: RestoreOptions = {},
  extra: Extra = {},
): Promise<RestoreRequest> {
  const { width, height, format } = await sharp(path).metadata();
  const { size } = await stat(path);
  const input = { path, format, width, height, bytes: size, mimeType: `image/${format}` };
  return { restorationId: 'restoration', attempt: 1, model, parameters: {}, options, input, ...extra };
}

async function save(photo: Raster): Promise<string> {
  const path = join(folder, `${Math.random()}.png`);
  await writePng(photo, path);
  return path;
}

/** What the model itself makes of it; the gate is not asked. */
async function answer(
  source: Raster,
  model: string,
  {
    strength = 1,
    parameters = {},
    mask,
  }: { strength?: number; parameters?: Record<string, number>; mask?: Raster } = {},
): Promise<Raster> {
  const entry = shelf.find(({ name }) => name === model);
  if (entry?.kind !== 'model') throw new Error(`There is no model ${model}.`);
  const { signal } = new AbortController();
  const damaged = mask?.data as Uint8Array | undefined;
  return runner.run(entry, { source, mask: damaged, strength, parameters, signal, onTile: () => {} });
}

/** What the tiny models do, done plainly to the whole picture: a 3 × 3 blur, mirrored at the border. */
function blurred({ data, width, height, channels, depth }: Raster): Raster {
  const out = createRaster({ width, height, channels, depth });
  const fold = (i: number, n: number): number => (i < 0 ? -1 - i : i >= n ? 2 * n - 1 - i : i);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            const weight = (2 - Math.abs(dx)) * (2 - Math.abs(dy));
            sum += weight * data[(fold(y + dy, height) * width + fold(x + dx, width)) * channels + c]!;
          }
        }
        out.data[(y * width + x) * channels + c] = Math.round(sum / 16);
      }
    }
  }
  return out;
}

function repeated({ data, width, height, channels, depth }: Raster, factor: number): Raster {
  const out = createRaster({ width: width * factor, height: height * factor, channels, depth });
  for (let y = 0; y < out.height; y++) {
    for (let x = 0; x < out.width; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * channels;
      for (let c = 0; c < channels; c++) out.data[(y * out.width + x) * channels + c] = data[from + c]!;
    }
  }
  return out;
}

/** The largest difference, leaving out a border that a convolution fills with zeros and not with the mirror. */
function farthest(a: Raster, b: Raster, border: number): number {
  let worst = 0;
  for (let y = border; y < a.height - border; y++) {
    for (let x = border; x < a.width - border; x++) {
      for (let c = 0; c < a.channels; c++) {
        const at = (y * a.width + x) * a.channels + c;
        worst = Math.max(worst, Math.abs(a.data[at]! - b.data[at]!));
      }
    }
  }
  return worst;
}

/** A part of a photo, of a size that no model likes. */
async function odd(path: string, width: number, height: number): Promise<Raster> {
  const photo = await readPhoto(path);
  const part = createRaster({ ...photo, width, height });
  const row = width * photo.channels;
  for (let y = 0; y < height; y++) {
    const from = ((y + 30) * photo.width + 20) * photo.channels;
    part.data.set(photo.data.subarray(from, from + row), y * row);
  }
  return part;
}

/** The largest difference between what is there and what should be. */
function farOff(raster: Raster, wanted: (i: number) => number): number {
  let most = 0;
  for (let i = 0; i < raster.data.length; i++) most = Math.max(most, Math.abs(raster.data[i]! - wanted(i)));
  return most;
}

describeProvider('onnx', {
  create: () => open(),
  quick: () => requestFor(samplePath('astronaut.jpg'), 'denoise'),
  slow: async () => {
    const path = join(folder, 'large.jpg');
    await sharp(samplePath('astronaut.jpg')).resize(3000).jpeg().toFile(path);
    return requestFor(path, 'denoise-small');
  },
});

describe('models of the Real-ESRGAN and Swin2SR families', () => {
  it.each([
    ['esrgan-2x', 2],
    ['esrgan-4x-fixed', 4],
    ['swin2sr-2x', 2],
  ])('%s: tiles make the same picture as the whole, at any size', async (model, factor) => {
    for (const [width, height] of [
      [203, 131],
      [30, 150],
    ] as const) {
      const photo = await odd(photoPath('coffee.png'), width, height);
      const raster = await answer(photo, model);
      expect(raster).toMatchObject({ width: width * factor, height: height * factor, channels: 3, depth: 8 });
      expect(farthest(raster, repeated(blurred(photo), factor), 2 * factor)).toBeLessThanOrEqual(1);
    }
  });

  it('keep grey grey, 16 bits deep, and transparency', async () => {
    const grey = await odd(photoPath('camera.png'), 100, 90);
    expect(grey.channels).toBe(1);
    const large = await answer(grey, 'esrgan-2x');
    expect(large).toMatchObject({ channels: 1, width: 200 });
    expect(farthest(large, repeated(blurred(grey), 2), 4)).toBeLessThanOrEqual(1);

    const deep = createRaster({ width: 80, height: 70, channels: 4, depth: 16 });
    for (let i = 0; i < deep.data.length; i++)
      deep.data[i] = i % 4 === 3 ? (i > 11_000 ? 65_535 : 0) : (i * 97) % 65_000;
    const raster = await answer(deep, 'esrgan-2x');
    expect(raster).toMatchObject({ channels: 4, depth: 16, width: 160, height: 140 });
    expect([raster.data[3], raster.data.at(-1)]).toEqual([0, 65_535]);
    expect(raster.data.some((sample) => sample % 257 !== 0)).toBe(true);
  });

  it('take a picture of one pixel', async () => {
    const dot = createRaster({ width: 1, height: 1, channels: 3, depth: 8 });
    dot.data.set([10, 200, 90]);
    expect(await answer(dot, 'swin2sr-2x')).toMatchObject({ width: 2, height: 2 });
  });
});

describe('models that keep the size', () => {
  it('take strength, and 0 is the photo as it was', async () => {
    const photo = await odd(photoPath('chelsea.png'), 180, 120);
    const full = await answer(photo, 'denoise');
    const half = await answer(photo, 'denoise', { strength: 0.5 });
    const none = await answer(photo, 'denoise', { strength: 0 });
    expect(farthest(full, blurred(photo), 2)).toBeLessThanOrEqual(1);
    expect(none.data).toEqual(photo.data);
    expect(farOff(half, (i) => (photo.data[i]! + full.data[i]!) / 2)).toBeLessThanOrEqual(1);
  });

  it('take parameters of their own, such as the quality of FBCNN', async () => {
    const photo = await odd(photoPath('chelsea.png'), 100, 90);
    const untouched = await answer(photo, 'fbcnn', { parameters: { qf: 1 } });
    expect(farthest(untouched, photo, 0)).toBeLessThanOrEqual(1);
    const strong = await answer(photo, 'fbcnn', { parameters: { qf: 0 } });
    expect(farthest(strong, blurred(photo), 2)).toBeLessThanOrEqual(1);
    const listed = provider.models().find(({ name }) => name === 'fbcnn');
    expect(listed?.parameters).toMatchObject({ qf: { type: 'number', default: 0.5, minimum: 0, maximum: 1 } });
  });

  it('are given colours in their own order, layout and range', async () => {
    const photo = await odd(photoPath('coffee.png'), 90, 70);
    const raster = await answer(photo, 'bgr');
    // This one halves what it takes for the first plane: blue.
    expect(farOff(raster, (i) => photo.data[i]! * (i % 3 === 2 ? 0.5 : 1))).toBeLessThanOrEqual(1);
  });
});

describe('a model that colours', () => {
  it('keeps the lightness of every pixel and adds colour, more of it with more strength', async () => {
    const photo = await odd(photoPath('camera.png'), 300, 220);
    const raster = await answer(photo, 'ddcolor');
    expect(raster).toMatchObject({ width: 300, height: 220, channels: 3 });
    const light = (x: number): number => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    const lightness = (y: number): number => 116 * Math.cbrt(y);
    let chroma = 0;
    let off = 0;
    for (let i = 0; i < photo.data.length; i++) {
      const [r = 0, g = 0, b = 0] = raster.data.subarray(i * 3, i * 3 + 3);
      chroma += Math.max(r, g, b) - Math.min(r, g, b);
      // Colours that sRGB cannot show are cut off: only those may be off. One level of a dark colour is two of lightness.
      if (Math.min(r, g, b) === 0 || Math.max(r, g, b) === 255) continue;
      const y = 0.2127 * light(r / 255) + 0.7152 * light(g / 255) + 0.0722 * light(b / 255);
      off = Math.max(off, Math.abs(lightness(y) - lightness(light(photo.data[i]! / 255))));
    }
    expect(off).toBeLessThan(2.5);
    expect(chroma / photo.data.length).toBeGreaterThan(10);
    const none = await answer(photo, 'ddcolor', { strength: 0 });
    expect(farOff(none, (i) => photo.data[Math.floor(i / 3)]!)).toBe(0);
  });

  it('leaves a photo that has colours already as it is at strength 0', async () => {
    const photo = await odd(photoPath('coffee.png'), 160, 90);
    const raster = await answer(photo, 'ddcolor', { strength: 0 });
    expect(farOff(raster, (i) => photo.data[i]!)).toBe(0);
    const full = await answer(photo, 'ddcolor');
    expect(farOff(full, (i) => photo.data[i]!)).toBeGreaterThan(20);
  });
});

describe('a model that fills', () => {
  it('changes what the mask covers and nothing else', async () => {
    const photo = await readPhoto(photoPath('coffee.png'));
    const mask = createRaster({ width: photo.width, height: photo.height, channels: 1, depth: 8 });
    const covered = (i: number): boolean => {
      const x = i % photo.width;
      const y = Math.floor(i / photo.width);
      return Math.abs(y - Math.floor(x / 3) - 40) < 3 || (x > 500 && x < 520 && y > 300 && y < 320);
    };
    mask.data.forEach((_level, i) => {
      mask.data[i] = covered(i) ? 255 : i % 2 === 0 ? 90 : 0;
    });
    const damaged = createRaster(photo);
    damaged.data.forEach((_level, i) => {
      damaged.data[i] = covered(Math.floor(i / 3)) ? 255 : photo.data[i]!;
    });
    const raster = await answer(damaged, 'lama', { mask });
    let changed = 0;
    let touched = 0;
    raster.data.forEach((level, i) => {
      if (covered(Math.floor(i / 3))) changed += level === 255 ? 0 : 1;
      else touched += level === damaged.data[i] ? 0 : 1;
    });
    expect(touched).toBe(0);
    const all = mask.data.filter((level) => level === 255).length * 3;
    expect(changed).toBe(all);
    expect(psnr(raster, photo)).toBeGreaterThan(psnr(damaged, photo) + 3);
  });

  it('is read in the range of its answers also where a photo is nearly black', async () => {
    const photo = createRaster({ width: 520, height: 520, channels: 3, depth: 8 });
    const mask = createRaster({ width: 520, height: 520, channels: 1, depth: 8 });
    photo.data.forEach((_level, i) => (photo.data[i] = Math.floor(i / 3 / 520) % 2));
    for (let x = 100; x < 200; x++) mask.data[300 * 520 + x] = 255;
    const raster = await answer(photo, 'lama', { mask });
    expect(farOff(raster, (i) => photo.data[i]!)).toBeLessThanOrEqual(1);
  });

  it('is read as one of 0–1 where it answers that', async () => {
    const photo = await odd(photoPath('coffee.png'), 100, 90);
    expect(farthest(await answer(photo, 'found-out'), blurred(photo), 2)).toBeLessThanOrEqual(1);
  });

  it('asks for a mask, and for one of the right size', async () => {
    const photo = await odd(photoPath('coffee.png'), 100, 90);
    const restore = async (extra: Extra) =>
      provider.restore(await requestFor(await save(photo), 'lama', {}, extra), {
        signal: new AbortController().signal,
        onProgress: () => {},
      });
    await expect(restore({})).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('mask'),
    });
    const mask = { path: await save(createRaster({ width: 50, height: 90, channels: 1, depth: 8 })) };
    await expect(restore({ mask })).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('size'),
    });
  });
});

describe('the process of a model', () => {
  it('serves the jobs of one model, is ended when idle, and by an abort within 500 ms', async () => {
    const before = await modelProcesses();
    const started = async (): Promise<number[]> => (await modelProcesses()).filter((id) => !before.includes(id));
    const own = await open({ idleMs: 4000 });
    const request = await requestFor(samplePath('astronaut.jpg'), 'denoise');
    const run = () => own.restore(request, { signal: new AbortController().signal, onProgress: () => {} });
    await run();
    const [first] = await started();
    await run();
    expect(await started()).toEqual([first]);
    await expect.poll(started, { timeout: 20_000 }).toEqual([]);

    const controller = new AbortController();
    let abortedAt = 0;
    const running = own.restore(request, {
      signal: controller.signal,
      onProgress: ({ percent }) => {
        if (percent <= 15 || abortedAt > 0) return;
        abortedAt = performance.now();
        controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(performance.now() - abortedAt).toBeLessThan(500);
    await expect.poll(started, { timeout: 5000 }).toEqual([]);
    await run();
    await own.close?.();
    expect(await started()).toEqual([]);
  });
});
