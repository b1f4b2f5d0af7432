import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { problemOfModelFile } from '../src/inference/foreign/onnx-file.ts';
import { createLog } from '../src/log.ts';
import { createOnnxProvider } from '../src/providers/onnx.ts';
import { isRestricted } from '../src/providers/onnx/licence.ts';
import type { Provider } from '../src/providers/provider.ts';
import { samplePath } from './fixtures/damage.ts';
import { modelProcesses, ONNX_FIXTURES, putModel } from './helpers/onnx-models.ts';

// Each model starts a process; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

let folder: string;
let provider: Provider;
const lines: string[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-hostile-onnx-'));
  for (const model of ['missing', 'empty', 'truncated', 'text', 'external', 'external-inside'])
    await putModel(folder, model);
  for (const model of ['nan', 'constant', 'wrong-size', 'huge', 'hungry', 'endless']) await putModel(folder, model);
  await putModel(folder, 'denoise');
  const vast = { fixedSize: true, tile: { size: 2944, overlap: 16 } };
  await putModel(folder, 'esrgan-2x', { name: 'vast', scale: 4, ...vast });
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
    limits: { memory: 1.5e9, tileMs: 3000, loadMs: 60_000 },
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

describe('a model that misbehaves', () => {
  it.each([
    ['wrong-size', 'PROVIDER_REJECTED', /another size.*`scale`/],
    ['huge', 'INSUFFICIENT_MEMORY', /`tile\.size`/],
    ['hungry', 'INSUFFICIENT_MEMORY', /`tile\.size`/],
    ['vast', 'INSUFFICIENT_MEMORY', /`tile\.size`/],
    ['endless', 'PROVIDER_TIMEOUT', /longer than 3 seconds for one tile/],
  ])('%s: ends as %s, and the next one works', async (model, code, message) => {
    await expect(restore(model)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      provider: 'onnx',
    });
    expect(await restore('denoise')).toMatchObject({ picture: { kind: 'raster' } });
  });

  it('leaves no process behind', async () => {
    await expect(restore('endless')).rejects.toMatchObject({ code: 'PROVIDER_TIMEOUT' });
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
