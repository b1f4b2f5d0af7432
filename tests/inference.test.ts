import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { NetRun, PictureNet } from '../src/imaging/nets.ts';
import { NoPicture } from '../src/imaging/no-picture.ts';
import { createRaster, type Channels, type Depth, type Raster, type RasterShape } from '../src/imaging/raster.ts';
import type { OwnNets } from '../src/inference/nets.ts';
import { createBuiltinProvider } from '../src/providers/builtin.ts';
import { largestDifference, netsOf, pattern, putNet, shelfOf, type ManifestFields } from './helpers/nets.ts';

const bin = new AsyncDisposableStack();
afterAll(() => bin.disposeAsync());

async function open(fixtures: readonly string[], fields: ManifestFields = {}, options = {}): Promise<OwnNets> {
  const folder = await shelfOf(fixtures, fields);
  bin.defer(() => rm(folder, { recursive: true, force: true }));
  return bin.adopt(await netsOf(folder, options), (nets) => nets.close());
}

const opened = new Map<string, Promise<OwnNets>>();

/** One net; those that are asked for twice are opened once. */
async function only(fixture: string, fields: ManifestFields = {}, options = {}): Promise<PictureNet> {
  const key = JSON.stringify([fixture, fields, options]);
  const nets = opened.get(key) ?? open([fixture], fields, options);
  opened.set(key, nets);
  const task = fixture === 'mask' ? 'mask' : ['double', 'quadruple'].includes(fixture) ? 'upscale' : 'restore';
  return (await nets).find(task, 'BEST') as PictureNet;
}

const never = (): AbortSignal => new AbortController().signal;

async function through(net: PictureNet, source: Raster, run: Partial<NetRun> = {}): Promise<Raster> {
  const { width, height, channels, depth } = source;
  const target = createRaster({
    width: width * net.scale,
    height: height * net.scale,
    channels: net.task === 'mask' ? 1 : channels,
    depth,
  });
  const controls = Object.fromEntries(net.controls.map((control) => [control, 0.25]));
  await net.run(source, target, { controls, signal: never(), ...run });
  return target;
}

const SIZES = [
  [1, 1],
  [7, 3],
  [1, 300],
  [64, 64],
  [513, 259],
] as const;
const KINDS = ([1, 2, 3, 4] as const).flatMap((channels) =>
  ([8, 16] as const).map((depth): { channels: Channels; depth: Depth } => ({ channels, depth })),
);

/** Alpha is not a net's concern. */
function withoutAlpha(raster: Raster): Raster {
  const copy = createRaster(raster);
  copy.data.set(raster.data);
  if (raster.channels % 2 === 0) {
    for (let i = raster.channels - 1; i < copy.data.length; i += raster.channels) copy.data[i] = 0;
  }
  return copy;
}

describe('a net', () => {
  it.each(KINDS)('brings $channels channels of $depth bits through unchanged, whatever the size', async (kind) => {
    const net = await only('copy');
    for (const [width, height] of SIZES) {
      const source = pattern({ width, height, ...kind });
      const target = await through(net, source);
      expect(largestDifference(target, withoutAlpha(source))).toBe(0);
    }
  });

  it('leaves alpha in the target as it is', async () => {
    const source = pattern({ width: 300, height: 40, channels: 4, depth: 8 });
    const target = createRaster(source);
    target.data.fill(77);
    await (await only('copy')).run(source, target, { controls: { noise: 0 }, signal: never() });
    expect(target.data.every((level, i) => level === (i % 4 === 3 ? 77 : source.data[i]))).toBe(true);
  });

  it('clips and does not wrap', async () => {
    const net = await only('brighter');
    for (const depth of [8, 16] as const) {
      const target = await through(net, pattern({ width: 20, height: 20, channels: 3, depth }));
      expect(new Set(target.data)).toEqual(new Set([depth === 16 ? 65_535 : 255]));
    }
  });

  it('is mixed with the source by the share', async () => {
    const source = pattern({ width: 200, height: 150, channels: 3, depth: 8 });
    const target = await through(await only('brighter'), source, { share: 0.25 });
    // 2 is added to 0–1, so a quarter of it is half the range.
    const off = Array.from(source.data, (level, i) => Math.abs(target.data[i]! - Math.min(255, level + 127.5)));
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
    const untouched = await through(await only('chain'), source, { share: 0 });
    expect(largestDifference(untouched, source)).toBe(0);
  });

  it('sees a control as one value or as a picture of its own', async () => {
    const net = await only('control');
    const source = pattern({ width: 300, height: 200, channels: 3, depth: 8 });
    const flat = await through(net, source, { controls: { noise: 0.2 } });
    expect(new Set(flat.data)).toEqual(new Set([51]));
    for (const depth of [8, 16] as const) {
      const plane = pattern({ width: 300, height: 200, channels: 1, depth });
      const target = await through(net, source, { controls: { noise: plane } });
      const unit = depth === 16 ? 257 : 1;
      expect(target.data.every((level, i) => level === Math.round(plane.data[Math.floor(i / 3)]! / unit))).toBe(true);
    }
  });

  it.each([
    ['grey of grey', 'chain', 1],
    ['a mask of colour', 'mask', 3],
    ['a mask of grey', 'mask', 1],
    ['twice as large', 'double', 3],
    ['four times as large, grey', 'quadruple', 1],
  ] as const)('makes %s', async (_what, fixture, channels) => {
    const source = pattern({ width: 150, height: 90, channels, depth: 8 });
    const target = await through(await only(fixture), source);
    expect(new Set(target.data).size).toBeGreaterThan(20);
  });

  it.each([
    ['chain', 3, { controls: { noise: 0.5 } }, 'the control jpeg is missing'],
    ['chain', 3, { controls: { noise: 0.5, jpeg: 2 } }, 'the control jpeg is neither'],
    ['chain', 3, { controls: { noise: 0.5, jpeg: Number.NaN } }, 'the control jpeg is neither'],
    ['chain', 3, { share: 1.5 }, 'the share'],
    ['double', 3, { share: 0.5 }, 'only a net that keeps the picture'],
  ] as const)('of %s with %d channels refuses what is wrong: %j', async (fixture, channels, run, message) => {
    const net = await only(fixture);
    const source = pattern({ width: 20, height: 20, channels, depth: 8 });
    await expect(through(net, source, run as Partial<NetRun>)).rejects.toThrow(message);
  });

  it('refuses a target of another size or other channels', async () => {
    const net = await only('copy');
    const source = pattern({ width: 20, height: 20, channels: 3, depth: 8 });
    const run = { controls: { noise: 0 }, signal: never() };
    await expect(net.run(source, createRaster({ ...source, width: 21 }), run)).rejects.toThrow('as wide and high');
    await expect(net.run(source, createRaster({ ...source, channels: 1 }), run)).rejects.toThrow('other channels');
  });
});

describe('tiles of a net', () => {
  const shape: RasterShape = { width: 420, height: 260, channels: 3, depth: 8 };

  it.each([
    ['chain', 1],
    ['unet', 2],
    ['mask', 2],
    ['double', 1],
    ['quadruple', 1],
  ])('of %s leave no seam: at most %d of 255 from the whole picture', async (fixture, most) => {
    const source = pattern(shape);
    const whole = await through(await only(fixture, { tile: { size: 4096, overlap: 32 } }), source);
    const cut = await through(await only(fixture, { tile: { size: 136, overlap: 32 } }), source);
    expect(largestDifference(whole, cut)).toBeLessThanOrEqual(most);
  });

  it('would leave seams without overlap: the test above can fail', async () => {
    const source = pattern(shape);
    const whole = await through(await only('unet', { tile: { size: 4096, overlap: 32 } }), source);
    const cut = await through(await only('unet', { tile: { size: 136, overlap: 0 } }), source);
    expect(largestDifference(whole, cut)).toBeGreaterThan(4);
  });

  it('are told one by one', async () => {
    const net = await only('copy');
    const seen: number[] = [];
    await through(net, pattern(shape), { onProgress: (done) => seen.push(done) });
    expect(seen.length).toBeGreaterThan(7);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.map((_, i) => (i + 1) / seen.length));
  });

  it('of several pictures take turns', async () => {
    const nets = await open(['copy', 'mask']);
    const order: string[] = [];
    const run = async (name: string, task: 'restore' | 'mask'): Promise<void> => {
      await through(nets.find(task, 'FAST') as PictureNet, pattern(shape), { onProgress: () => void order.push(name) });
      order.push(`end of ${name}`);
    };
    await Promise.all([run('a', 'restore'), run('b', 'restore'), run('c', 'mask')]);
    const ends = ['a', 'b', 'c'].map((name) => order.indexOf(`end of ${name}`));
    expect(Math.min(...ends)).toBeGreaterThan(order.length - 8);
  });
});

describe('a run that does not end well', () => {
  const large = pattern({ width: 2000, height: 1500, channels: 3, depth: 8 });

  it('stops after an abort: within 500 ms, and no further tile is written', async () => {
    const net = await only('unet');
    const stop = new AbortController();
    const target = createRaster(large);
    let aborted = 0;
    let after = 0;
    const done = net.run(large, target, {
      controls: { noise: 0, jpeg: 0 },
      signal: stop.signal,
      onProgress: (share) => {
        if (aborted > 0) after++;
        else if (share > 0.1) {
          aborted = performance.now();
          stop.abort(new Error('enough'));
        }
      },
    });
    await expect(done).rejects.toThrow('enough');
    expect(performance.now() - aborted).toBeLessThan(500);
    expect(after).toBe(0);
    const before = target.data.slice();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(target.data.every((level, i) => level === before[i])).toBe(true);
    // The last rows were never reached.
    expect(target.data.subarray(-3000).every((level) => level === 0)).toBe(true);
  });

  it('does not begin for a signal that has fired', async () => {
    const net = await only('copy');
    await expect(through(net, large, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
  });

  it('rejects with what the listener to its progress throws', async () => {
    const net = await only('copy');
    const onProgress = (): void => {
      throw new Error('no more of this');
    };
    await expect(through(net, large, { onProgress })).rejects.toThrow('no more of this');
  });

  it('rejects when the nets are closed, after the tile under way', async () => {
    const nets = await open(['unet']);
    const net = nets.find('restore', 'BEST') as PictureNet;
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const done = through(net, large, { onProgress: () => resolve() });
    const ended = done.then(
      () => undefined,
      (error: Error) => error.name,
    );
    await begun;
    await nets.close();
    expect(await ended).toBe('AbortError');
    await expect(through(net, large)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('rejects an answer that is no number, and the next picture works', async () => {
    const net = await only('not-a-number');
    const source = pattern({ width: 40, height: 40, channels: 3, depth: 8 });
    source.data.fill(100);
    await through(net, source);
    source.data[300] = 255;
    await expect(through(net, source)).rejects.toThrow(NoPicture);
    source.data[300] = 100;
    await through(net, source);
  });

  it('rejects when the thread dies, and the next one works', async () => {
    const script = new URL('./fixtures/dying-inference.ts', import.meta.url);
    const net = await only('copy', {}, { script });
    const source = pattern({ width: 40, height: 40, channels: 3, depth: 8 });
    const dying = through(net, source, { controls: { noise: 1 } });
    await expect(dying).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(largestDifference(await through(net, source), source)).toBe(0);
  });
});

describe('a net that cannot be used', () => {
  const source = pattern({ width: 40, height: 40, channels: 3, depth: 8 });

  it.each<[string, string, (bytes: Buffer) => Buffer, ManifestFields, string]>([
    ['empty', 'copy', () => Buffer.alloc(0), {}, 'has 0 bytes'],
    ['truncated', 'copy', (bytes) => bytes.subarray(0, 100), {}, 'has 100 bytes'],
    ['of other bytes', 'copy', (bytes) => Buffer.from(bytes).fill(1, 20, 21), {}, 'SHA-256'],
    [
      'no ONNX at all',
      'copy',
      () => Buffer.from('#!/bin/sh\nexit 1\n'),
      ofBytes(Buffer.from('#!/bin/sh\nexit 1\n')),
      'onnxruntime',
    ],
    ['of other names', 'other-names', same, {}, 'has no input “input” but picture'],
    ['of other channels', 'copy', same, { controls: [] }, 'must be float32 [1, 3,'],
    ['for one size only', 'fixed-size', same, {}, 'any height and width'],
    ['wanting more', 'two-inputs', same, {}, 'more inputs than one'],
    ['answering at another size', 'half', same, {}, 'does not run'],
    ['answering at another scale', 'brighter', same, { task: 'upscale', scale: 2 }, 'does not run'],
    ['answering with what is no number', 'never-a-number', same, {}, 'no number'],
    ['of another layout', 'copy', same, { layout: 'NHWC' }, 'layout NCHW'],
    ['of another task', 'copy', same, { task: 'colourise' }, 'colourise'],
    ['of another version of the manifest', 'copy', same, { tile: { size: 1, overlap: 9 } }, 'manifest'],
  ])('(%s) is left out with a sentence, and the others work', async (_what, fixture, change, fields, sentence) => {
    const folder = await shelfOf(['chain']);
    bin.defer(() => rm(folder, { recursive: true, force: true }));
    await putNet(folder, fixture, { cost: 1, ...fields }, change);
    const nets = bin.adopt(await netsOf(folder), (one) => one.close());
    await nets.tryAll();
    const { task } = { task: 'restore', ...fields } as { task: 'restore' };
    expect(nets.find(task, 'FAST')?.name).toBe(task === 'restore' ? 'chain' : undefined);
    expect(nets.problems().map(({ name }) => name)).toEqual([fixture]);
    expect(nets.problems()[0]?.reason).toContain(sentence);
    await through(nets.find('restore', 'FAST') as PictureNet, source);
  });

  it('whose file is missing is not there from the start', async () => {
    const folder = await shelfOf(['chain', 'copy']);
    bin.defer(() => rm(folder, { recursive: true, force: true }));
    await rm(join(folder, 'copy.onnx'));
    await writeFile(join(folder, 'broken.json'), '{');
    const nets = bin.adopt(await netsOf(folder), (one) => one.close());
    expect(nets.problems().map(({ name }) => name)).toEqual(['broken', 'copy']);
    expect(nets.find('restore', 'FAST')?.name).toBe('chain');
  });

  it('found broken only when it is used rejects with MODEL_UNAVAILABLE and is not there any more', async () => {
    const folder = await shelfOf(['copy']);
    bin.defer(() => rm(folder, { recursive: true, force: true }));
    const nets = bin.adopt(await netsOf(folder), (one) => one.close());
    const net = nets.find('restore', 'FAST') as PictureNet;
    await writeFile(join(folder, 'copy.onnx'), 'something else');
    await expect(through(net, source)).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
      message: expect.not.stringContaining(folder),
    });
    expect(nets.find('restore', 'FAST')).toBeUndefined();
    expect(nets.problems()).toHaveLength(1);
  });

  it('that is kept warm gives its memory back after work alone, and is loaded again once for that', async () => {
    let starts = 0;
    const count = (): void => void starts++;
    process.on('worker', count);
    bin.defer(() => void process.off('worker', count));
    const nets = await open(['copy'], {}, { warmUp: true, idleMs: 20 });
    await nets.tryAll();
    await sleep(500);
    expect(starts).toBe(1);
    await through(nets.find('restore', 'FAST') as PictureNet, source);
    await vi.waitFor(() => expect(starts).toBe(2), { timeout: 10_000 });
    await nets.tryAll();
    await sleep(500);
    expect(starts).toBe(2);
    // Without, also what was only loaded is given back.
    const cold = await open(['copy'], {}, { idleMs: 20 });
    await cold.tryAll();
    await sleep(500);
    await cold.tryAll();
    expect(starts).toBe(4);
  });

  it('is not there where onnxruntime is not', async () => {
    const nets = await open(['chain', 'mask'], {}, { runtime: 'onnxruntime-that-is-missing' });
    await nets.tryAll();
    expect(nets.find('restore', 'BEST')).toBeUndefined();
    expect(nets.problems().map(({ reason }) => reason)).toEqual([
      expect.stringContaining('the module onnxruntime-that-is-missing does not load here'),
      expect.stringContaining('the module onnxruntime-that-is-missing does not load here'),
    ]);
  });

  it('is not loaded for tasks and qualities that nobody asked for; one that is refused makes room for the next', async () => {
    const folder = await shelfOf(['chain', 'mask']);
    bin.defer(() => rm(folder, { recursive: true, force: true }));
    await putNet(folder, 'copy', { cost: 1 }, () => Buffer.from('none'));
    await putNet(folder, 'double', {}, () => Buffer.from('none'));
    const nets = bin.adopt(await netsOf(folder), (one) => one.close());
    await nets.ready(['mask'], 'BEST');
    expect(nets.problems()).toEqual([]);
    await nets.ready(['restore'], 'BEST');
    expect([nets.find('restore', 'BEST')?.name, nets.problems()]).toEqual(['chain', []]);
    await nets.ready(['restore', 'mask'], 'FAST');
    expect(nets.find('restore', 'FAST')?.name).toBe('chain');
    expect(nets.problems().map(({ name }) => name)).toEqual(['copy']);
    const { signal } = new AbortController();
    expect(await nets.missing(['mask'], signal)).toBeUndefined();
    expect(await nets.missing(['upscale'], signal)).toMatch(/double/);
  });

  it('is none where there is no folder', async () => {
    const nets = bin.adopt(await netsOf('/nowhere/at/all'), (one) => one.close());
    await nets.tryAll();
    expect(nets.find('mask', 'BEST')).toBeUndefined();
    expect(nets.problems()).toEqual([]);
  });
});

describe('what the models say of nets that are missing', () => {
  const said = async (nets: OwnNets, ...models: string[]) => {
    const provider = createBuiltinProvider({ nets });
    try {
      return await Promise.all(models.map((model) => provider.note?.(never(), model)));
    } finally {
      await provider.close?.();
    }
  };

  it('is nothing where each task has its net', async () => {
    const nets = await open(['chain', 'mask', 'double']);
    expect(await said(nets, 'auto', 'repair', 'denoise', 'tone', 'upscale-2x')).toEqual(Array(5).fill(undefined));
  });

  it('is one sentence for all of them where onnxruntime does not load, and nothing of a model without nets', async () => {
    const nets = await open(['chain', 'mask', 'double'], {}, { runtime: 'onnxruntime-that-is-missing' });
    const [auto, repair, tone] = await said(nets, 'auto', 'repair', 'tone');
    expect(auto).toMatch(
      /^The nets “chain”, “double” and “mask” cannot be used: the module onnxruntime-that-is-missing does not load here \([^/]+\)\. Classical steps are used instead\.$/,
    );
    expect(repair).toMatch(/^The net “mask” cannot be used: [^]* Classical steps are used instead\.$/);
    expect(tone).toBeUndefined();
  });

  it('names the net whose file is damaged or missing, without the place of its folder', async () => {
    const folder = await shelfOf(['chain', 'mask', 'double']);
    bin.defer(() => rm(folder, { recursive: true, force: true }));
    await putNet(folder, 'copy', { cost: 1 }, (bytes) => bytes.subarray(0, 100));
    await rm(join(folder, 'mask.onnx'));
    const nets = bin.adopt(await netsOf(folder), (one) => one.close());
    const [denoise, repair, upscale] = await said(nets, 'denoise', 'repair', 'upscale-2x');
    expect(denoise).toMatch(
      /^The net “copy” cannot be used: its file copy\.onnx has 100 bytes, .* Other nets are used/,
    );
    expect(repair).toBe(
      'The net “mask” cannot be used: its file mask.onnx is missing. Classical steps are used instead.',
    );
    expect(upscale).toBeUndefined();
  });

  it('is a sentence where there are no weights, or not for everything', async () => {
    const none = bin.adopt(await netsOf('/nowhere/at/all'), (one) => one.close());
    expect(await said(none, 'auto')).toEqual([
      'There is no net in models/ for grain and JPEG artefacts, finding damage and enlarging. Classical steps are used instead.',
    ]);
    expect(await said(await open(['chain', 'double']), 'auto')).toEqual([
      'There is no net in models/ for finding damage. Classical steps are used instead.',
    ]);
  });

  it('is not waited for longer than whoever asks wants', async () => {
    const nets = await open(['chain']);
    const asked = nets.missing(['restore'], AbortSignal.abort(new Error('enough')));
    await expect(asked).rejects.toThrow('enough');
  });
});

function same(bytes: Buffer): Buffer {
  return bytes;
}

/** What a manifest says of a file that is no net. */
function ofBytes(bytes: Buffer): ManifestFields {
  return { sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
}
