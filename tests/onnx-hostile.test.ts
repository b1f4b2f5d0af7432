import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { problemOfModelFile } from '../src/inference/foreign/onnx-file.ts';
import { createRaster } from '../src/imaging/raster.ts';
import { createForeignRunner } from '../src/inference/foreign/runner.ts';
import { createLog } from '../src/log.ts';
import { createOnnxProvider } from '../src/providers/onnx.ts';
import { isRestricted } from '../src/providers/onnx/licence.ts';
import { readShelf } from '../src/providers/onnx/shelf.ts';
import type { Provider } from '../src/providers/provider.ts';
import { samplePath } from './fixtures/damage.ts';
import { modelProcesses, ONNX_FIXTURES, putModel } from './helpers/onnx-models.ts';

// Each model starts a process; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

let folder: string;
let provider: Provider;
const lines: string[] = [];
const limits = { memory: 1.5e9, tileMs: 3000, probeMs: 3000, loadMs: 60_000 };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-hostile-onnx-'));
  for (const model of ['missing', 'empty', 'truncated', 'text', 'external', 'external-inside'])
    await putModel(folder, model);
  for (const model of ['nan', 'constant', 'wrong-size', 'huge', 'hungry', 'endless']) await putModel(folder, model);
  await putModel(folder, 'denoise');
  const vast = { fixedSize: true, tile: { size: 2944, overlap: 16 } };
  await putModel(folder, 'esrgan-2x', { name: 'vast', scale: 4, ...vast });
  await putModel(folder, 'swin2sr-2x', { name: 'other-multiple', multiple: 4, tile: { size: 60, overlap: 16 } });
  await putModel(folder, 'denoise', { name: 'wrong-hash', sha256: '0'.repeat(64) });
  await putModel(folder, 'denoise', { name: 'wrong-input', inputs: { image: 'x' } });
  await putModel(folder, 'denoise', { name: 'wrong-output', outputs: { image: 'y' } });
  await putModel(folder, 'denoise', { name: 'wrong-layout', layout: 'NHWC' });
  await putModel(folder, 'denoise', { name: 'wrong-colours', colours: 'L' });
  await putModel(folder, 'esrgan-4x-fixed', { name: 'not-fixed', fixedSize: false });
  await putModel(folder, 'esrgan-4x-fixed', { name: 'other-scale', scale: 2 });
  await putModel(folder, 'fbcnn', { name: 'unknown-input', parameters: {} });
  await putModel(folder, 'denoise', { name: 'traversal', file: '../../../etc/passwd' });
  await putModel(folder, 'denoise', { name: 'restricted', licence: 'CC-BY-NC-SA-4.0' });
  await putModel(folder, 'denoise', { name: 'no-task', task: 'magic' });
  await writeFile(join(folder, 'not-json.json'), '{');
  await symlink(join(ONNX_FIXTURES, 'denoise.onnx'), join(folder, 'alone.onnx'));
  const log = createLog('info', { write: (line) => void lines.push(line) });
  provider = await createOnnxProvider({
    folder,
    allowRestricted: false,
    log,
    limits,
  });
});
afterAll(async () => {
  await provider.close?.();
  await rm(folder, { recursive: true, force: true });
});

const signal = new AbortController().signal;

async function restore(model: string): Promise<unknown> {
  const input = {
    path: samplePath('astronaut.jpg'),
    format: 'jpeg',
    width: 512,
    height: 512,
    bytes: 1,
    mimeType: 'image/jpeg',
  };
  const request = { restorationId: 'r', attempt: 1, model, parameters: {}, options: {}, input };
  return provider.restore(request, { signal, onProgress: () => {} });
}

describe('a model that cannot be used', () => {
  it.each([
    ['missing', /missing\.onnx is missing: put it beside/],
    ['empty', /empty\.onnx is empty/],
    ['truncated', /only a part of one/],
    ['text', /is not an ONNX model/],
    ['external', /keeps weights in other files/],
    ['external-inside', /keeps weights in other files/],
    ['wrong-hash', /SHA-256.*models add/],
    ['wrong-input', /no input x \(it has input\).*`inputs`/],
    ['wrong-output', /no output y \(it has output\)/],
    ['wrong-layout', /of shape \[1, 3, any, any\].*`layout`/],
    ['wrong-colours', /where the manifest says \[1, 1, any, any\]/],
    ['not-fixed', /64 × 64 pixels only: say `fixedSize`/],
    ['other-scale', /\[1, 3, 256, 256\] where the manifest says \[1, 3, 128, 128\]/],
    ['unknown-input', /wants an input qf/],
    ['traversal', /traversal\.json is wrong in file/],
    ['no-task', /no-task\.json is wrong in task/],
    ['not-json', /not-json\.json is not JSON/],
    ['alone', /no manifest for alone\.onnx.*models add/],
    ['restricted', /CC-BY-NC-SA-4\.0.*ALLOW_NONCOMMERCIAL_MODELS=true/],
  ])('%s: is listed with a sentence that says why and what to do', async (model, reason) => {
    expect(provider.models().map(({ name }) => name)).toContain(model);
    const status = await provider.status(signal, model);
    expect(status).toEqual({ available: false, reason: expect.stringMatching(reason) });
    expect(status.reason).toMatch(/^[A-Za-z].*\.$/);
    expect(status.reason).not.toContain(folder);
    await expect(restore(model)).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', message: status.reason });
  });

  it('is none of the runtime own format, which would not be looked through', () => {
    const withName = (name: string) =>
      Buffer.concat([Buffer.from([0x12, 6]), Buffer.from(name), Buffer.from([0x3a, 0])]);
    expect(problemOfModelFile(withName('v-ORTX'))).toBeUndefined();
    expect(problemOfModelFile(withName('v-ORTM'))).toMatch(/not an ONNX model/);
  });

  it('stands beside one that can', async () => {
    expect(await provider.status(signal, 'denoise')).toEqual({ available: true });
    expect(await restore('denoise')).toMatchObject({ picture: { kind: 'raster' } });
  });

  it('may be used with a restricted licence where that is allowed', async () => {
    const own = await createOnnxProvider({ folder, allowRestricted: true, log: createLog('silent') });
    expect(await own.status(signal, 'restricted')).toEqual({ available: true });
    await own.close?.();
  });

  it('is not there any more when its file was exchanged after it was looked at', async () => {
    await putModel(folder, 'denoise', { name: 'exchanged' });
    const own = await createOnnxProvider({ folder, allowRestricted: false, log: createLog('silent'), idleMs: 1 });
    expect(await own.status(signal, 'exchanged')).toEqual({ available: true });
    await appendFile(join(folder, 'denoise.onnx'), 'x');
    const input = {
      path: samplePath('astronaut.jpg'),
      format: 'jpeg',
      width: 512,
      height: 512,
      bytes: 1,
      mimeType: 'image/jpeg',
    };
    const request = { restorationId: 'r', attempt: 1, model: 'exchanged', parameters: {}, options: {}, input };
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(own.restore(request, { signal, onProgress: () => {} })).rejects.toMatchObject({
      code: 'MODEL_UNAVAILABLE',
    });
    await own.close?.();
    await putModel(folder, 'denoise');
  });
});

describe('a model that cannot answer a picture', () => {
  it.each([
    ['nan', /^nan\.onnx answered values that are no numbers .* plain grey picture of 64 × 64 pixels: export it again/],
    ['wrong-size', /^wrong-size\.onnx fails on a plain grey picture.*another size.*correct `scale` or `multiple`\.$/],
    ['other-multiple', /^swin2sr-2x\.onnx fails on a plain grey picture of 60 × 60 pixels\. .*correct `multiple`/],
    ['huge', /^huge\.onnx cannot be used: The model wants more memory .*: use a smaller model\. It is tried again/],
    ['hungry', /^hungry\.onnx cannot be used: The model (wants|took) more memory .*smaller.*\. It is tried again/],
    ['vast', /^esrgan-2x\.onnx cannot be used: .* more memory .*smaller.*\. It is tried again/],
    [
      'endless',
      /^endless\.onnx cannot be used: .* longer than 3 seconds for a picture of 64 × 64 pixels: use a smaller/,
    ],
  ])('%s: is found out before a photo is sent to it', async (model, reason) => {
    expect(await provider.status(signal, model)).toEqual({ available: false, reason: expect.stringMatching(reason) });
    await expect(restore(model)).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE' });
    expect(await provider.status(signal, 'denoise')).toEqual({ available: true });
  });

  it('is not one that makes one colour of it', async () => {
    expect(await provider.status(signal, 'constant')).toEqual({ available: true });
  });
});

describe('a model that misbehaves', () => {
  const runner = createForeignRunner({ executionProviders: ['cpu'], limits, log: createLog('silent') });
  afterAll(() => runner.close());

  /** Nobody has examined it. */
  async function run(model: string): Promise<unknown> {
    const entry = (await readShelf(folder, false)).find(({ name }) => name === model);
    if (entry?.kind !== 'model') throw new Error(`There is no model ${model}.`);
    const source = createRaster({ width: 80, height: 70, channels: 3, depth: 8 });
    source.data.forEach((_level, i) => (source.data[i] = i % 251));
    return runner.run(entry, { source, strength: 1, parameters: {}, signal, onTile: () => {} });
  }

  it.each([
    ['wrong-size', 'PROVIDER_REJECTED', /another size.*`scale`/],
    ['huge', 'INSUFFICIENT_MEMORY', /`tile\.size`/],
    ['hungry', 'INSUFFICIENT_MEMORY', /`tile\.size`/],
    ['vast', 'INSUFFICIENT_MEMORY', /`tile\.size`/],
    ['endless', 'PROVIDER_TIMEOUT', /longer than 3 seconds for one tile/],
  ])('%s: ends as %s, and the next one works', async (model, code, message) => {
    await expect(run(model)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      provider: 'onnx',
    });
    expect(await run('denoise')).toMatchObject({ width: 80 });
  });

  it('leaves no process behind', async () => {
    await expect(run('endless')).rejects.toMatchObject({ code: 'PROVIDER_TIMEOUT' });
    await runner.close();
    await provider.close?.();
    await expect.poll(modelProcesses, { timeout: 5000 }).toEqual([]);
  });
});

describe('execution providers', () => {
  it('fall back to the CPU with a line in the log', async () => {
    const said: string[] = [];
    const log = createLog('info', { write: (line) => void said.push(line) });
    const own = await createOnnxProvider({
      folder,
      allowRestricted: false,
      executionProviders: ['dml', 'coreml'],
      log,
    });
    expect(await own.status(signal, 'denoise')).toEqual({ available: true });
    await own.close?.();
    expect(said.join('')).toMatch(/execution provider|ONNX_EXECUTION_PROVIDERS/);
  });
});

describe('licences', () => {
  it.each([
    ['MIT', false],
    ['Apache-2.0', false],
    ['BSD-3-Clause', false],
    ['CC-BY-4.0', false],
    ['CC-BY-NC-4.0', true],
    ['CC-BY-NC-SA-4.0 OR MIT', false],
    ['PolyForm-Noncommercial-1.0.0', true],
    ['LicenseRef-S-Lab-1.0', true],
    ['LicenseRef-research-only', true],
    ['NCSA', false],
  ])('%s: restricted %s', (licence, restricted) => {
    expect(isRestricted(licence)).toBe(restricted);
  });
});
