import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { createLog } from '../src/log.ts';
import { createOnnxProvider } from '../src/providers/onnx.ts';
import type { Provider, RestoreProgress, RestoreRequest } from '../src/providers/provider.ts';
import { grain, photoPath, psnr, readPhoto, viaSharp, writePng } from './fixtures/damage.ts';
import { putModel } from './helpers/onnx-models.ts';

// Each model starts a process; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const MODELS = [
  'denoise',
  'fbcnn',
  'constant',
  'nan-bright',
  'darker',
  'swapped',
  'esrgan-2x',
  'negative-2x',
  'nan-2x',
];

let folder: string;
let provider: Provider;
let photo: Raster;
const pixels = createPixelPool({ size: 2 });
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-onnx-gate-'));
  for (const model of [...MODELS, 'ddcolor', 'lama']) await putModel(folder, model);
  provider = await createOnnxProvider({ folder, allowRestricted: false, pixels, log: createLog('silent') });
  photo = await readPhoto(photoPath('chelsea.png'));
});
afterAll(async () => {
  await provider.close?.();
  await pixels.close();
  await rm(folder, { recursive: true, force: true });
});

async function save(raster: Raster): Promise<string> {
  const path = join(folder, `${Math.random()}.png`);
  await writePng(raster, path);
  return path;
}

async function requestFor(raster: Raster, model: string, more: Partial<RestoreRequest> = {}): Promise<RestoreRequest> {
  const path = await save(raster);
  const { width, height } = raster;
  const { size: bytes } = await stat(path);
  const input = { path, format: 'png', width, height, bytes, mimeType: 'image/png' };
  return { restorationId: 'r', attempt: 1, model, parameters: {}, options: {}, input, ...more };
}

async function restore(raster: Raster, model: string, more: Partial<RestoreRequest> = {}) {
  const told: RestoreProgress[] = [];
  const { picture, report } = await provider.restore(await requestFor(raster, model, more), {
    signal: new AbortController().signal,
    onProgress: (one) => told.push(one),
  });
  if (picture.kind !== 'raster' || report.gate === null) throw new Error('There is a raster and a gate.');
  const [step] = report.steps;
  return { raster: picture.raster, unchanged: picture.unchanged, step, gate: report.gate, told };
}

const failed = (gate: { measures: readonly { name: string; held: boolean }[] }): string[] =>
  gate.measures.filter(({ held }) => !held).map(({ name }) => name);

describe('a model that does its work', () => {
  it('passes, with what was measured', async () => {
    const noisy = grain(photo, 12);
    const { raster, unchanged, step, gate, told } = await restore(noisy, 'denoise');
    expect(gate).toMatchObject({ verdict: 'PASSED', reason: expect.stringContaining('no harm was found') });
    expect(gate.measures.map(({ name }) => name)).toContain('structure');
    expect(failed(gate)).toEqual([]);
    expect(step).toMatchObject({ name: 'denoise', ran: true, strength: 1, reason: expect.stringMatching(/^R.+\.$/) });
    expect(unchanged).toBe(false);
    expect(psnr(raster, photo)).toBeGreaterThan(psnr(noisy, photo) + 3);
    expect(told.map(({ stage }) => stage)).toContain('DENOISING');
    expect(told.at(-1)).toEqual({ stage: 'FINISHING', percent: 100 });
  });

  it('leaves the photo itself where it changes nothing, and where nothing was asked for', async () => {
    const same = await restore(photo, 'fbcnn', { parameters: { qf: 1 } });
    expect(same.gate).toMatchObject({ verdict: 'UNTOUCHED', reason: expect.stringContaining('too small to see') });
    expect(same.step).toMatchObject({ ran: false });
    const none = await restore(photo, 'denoise', { options: { strength: 0 } });
    expect(none.gate.verdict).toBe('UNTOUCHED');
    expect(none.step).toEqual({ name: 'denoise', ran: false, strength: 0, reason: expect.stringContaining('0') });
    for (const { raster, unchanged } of [same, none]) {
      expect(unchanged).toBe(true);
      expect(raster.data).toEqual(photo.data);
    }
  });

  it('enlarges', async () => {
    const soft = await viaSharp(photo, (image) => image.blur(1.5).png());
    const { raster, gate, step } = await restore(soft, 'esrgan-2x');
    expect(failed(gate)).toEqual([]);
    expect(gate.verdict).toBe('PASSED');
    expect(step?.reason).toContain('×2');
    expect(raster).toMatchObject({ width: 2 * photo.width, height: 2 * photo.height });
  });

  it('gives a grey photo colours', async () => {
    const grey = await readPhoto(photoPath('camera.png'));
    expect(grey.channels).toBe(1);
    const { raster, gate, step, told } = await restore(grey, 'ddcolor', { options: { strength: 0.5 } });
    expect(failed(gate)).toEqual([]);
    expect(gate.verdict).toBe('PASSED');
    expect(step).toMatchObject({ ran: true, strength: 0.5, reason: expect.stringContaining('guess') });
    expect(raster).toMatchObject({ channels: 3, width: grey.width, height: grey.height });
    expect(told.map(({ stage }) => stage)).toContain('COLOURING');
  });

  it('fills what the mask covers, however much that is', async () => {
    const covered = (i: number): boolean => i % photo.width > 100 && i % photo.width < 220 && i > 100 * photo.width;
    const mask = createRaster({ ...photo, channels: 1 });
    mask.data.forEach((_level, i) => (mask.data[i] = covered(i) ? 255 : 0));
    const damaged = createRaster(photo);
    damaged.data.forEach((_level, i) => (damaged.data[i] = covered(Math.floor(i / 3)) ? 255 : photo.data[i]!));
    const { raster, gate, step } = await restore(damaged, 'lama', { mask: { path: await save(mask) } });
    expect(gate.verdict).toBe('PASSED');
    expect(step).toMatchObject({ ran: true, strength: 1 });
    expect(psnr(raster, photo)).toBeGreaterThan(psnr(damaged, photo) + 3);
  });
});

describe('a model that does harm', () => {
  it.each([
    ['constant', 'one single colour'],
    ['nan-bright', 'no numbers'],
  ])('%s: is refused, and the photo comes back as it was', async (model, why) => {
    const { raster, unchanged, step, gate } = await restore(photo, model);
    expect(gate).toMatchObject({ verdict: 'REFUSED', reason: expect.stringContaining('as it was') });
    expect(step).toMatchObject({ ran: false, strength: 0 });
    expect(step?.reason).toMatch(new RegExp(`was asked for\\. It was left out: it answered .*${why}.*\\.$`));
    expect(gate.measures).toMatchObject([{ name: 'answer', step: model, held: false }]);
    expect(unchanged).toBe(true);
    expect(raster.data).toEqual(photo.data);
  });

  it('is lowered when it darkens', async () => {
    const { raster, unchanged, step, gate } = await restore(photo, 'darker');
    expect(gate).toMatchObject({ verdict: 'LOWERED', reason: expect.stringContaining('“darker”') });
    expect(failed(gate)).toContain('brightness');
    expect(step?.strength).toBeLessThan(1);
    expect(step?.reason).toMatch(/Only \d+ % of it is in the result: at full strength areas became brighter or darker/);
    expect(unchanged).toBe(false);
    let darker = 0;
    for (let i = 0; i < raster.data.length; i++) darker += photo.data[i]! - raster.data[i]!;
    expect(darker / raster.data.length).toBeGreaterThan(1);
    expect(darker / raster.data.length).toBeLessThan(8);
  });

  it('is refused or lowered when it swaps colours', async () => {
    const { step, gate } = await restore(await readPhoto(photoPath('coffee.png')), 'swapped');
    expect(failed(gate)).toContain('colour');
    expect(gate.verdict).toBeOneOf(['LOWERED', 'REFUSED']);
    expect(step?.strength).toBeLessThan(0.5);
    expect(step?.reason).toContain('colours changed');
  });

  it.each([
    ['negative-2x', 'it changed what the picture shows'],
    ['nan-2x', 'no numbers'],
  ])('%s: is enlarged plainly in its place', async (model, why) => {
    const { raster, unchanged, step, gate } = await restore(photo, model);
    expect(gate.verdict).toBe('LOWERED');
    expect(step?.reason).toContain('in the plainest way instead');
    expect(step?.reason).toContain(why);
    expect(raster).toMatchObject({ width: 2 * photo.width, height: 2 * photo.height });
    expect(unchanged).toBe(false);
    const small = await viaSharp(raster, (image) => image.resize(photo.width, photo.height).png());
    expect(psnr(small, photo)).toBeGreaterThan(35);
  });
});

it('ends within 500 ms of an abort while the result is compared', async () => {
  const controller = new AbortController();
  const slow = createPixelPool({ size: 1 });
  let abortedAt = 0;
  const watched = {
    ...slow,
    run: ((kernel, input, run) => {
      abortedAt = performance.now();
      controller.abort();
      return slow.run(kernel, input, run);
    }) as typeof slow.run,
  };
  const own = await createOnnxProvider({ folder, allowRestricted: false, pixels: watched, log: createLog('silent') });
  const large = await viaSharp(photo, (image) => image.resize(1500).png());
  const told: number[] = [];
  const running = own.restore(await requestFor(large, 'denoise'), {
    signal: controller.signal,
    onProgress: ({ percent }) => told.push(percent),
  });
  await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  expect(performance.now() - abortedAt).toBeLessThan(500);
  expect(abortedAt).toBeGreaterThan(0);
  expect(told).not.toContain(100);
  await own.close?.();
  await slow.close();
});
