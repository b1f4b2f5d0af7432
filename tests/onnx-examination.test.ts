import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { describe, expect, it, onTestFinished, vi } from 'vitest';

import { readConfig } from '../src/config.ts';
import { createRaster } from '../src/imaging/raster.ts';
import { explained } from '../src/inference/foreign/model.ts';
import { createModelProcess } from '../src/inference/foreign/process.ts';
import { createForeignRunner, type ForeignRunner, type Problem } from '../src/inference/foreign/runner.ts';
import { createTurns } from '../src/inference/foreign/turns.ts';
import { createLog } from '../src/log.ts';
import { createOnnxProvider, type OnnxOptions } from '../src/providers/onnx.ts';
import { createExaminations } from '../src/providers/onnx/examinations.ts';
import { readShelf } from '../src/providers/onnx/shelf.ts';
import { modelProcesses, ONNX_FIXTURES, putModel } from './helpers/onnx-models.ts';
import { until } from './helpers/service.ts';

// Each model starts a process; on a busy machine that takes seconds.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const { signal } = new AbortController();
const limits = { memory: 4e9, loadMs: 60_000, probeMs: 60_000, tileMs: 60_000 };
const onTile = (): void => {};

async function folderWith(...models: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-examination-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const model of models) await putModel(folder, model);
  return folder;
}

async function open(folder: string, options: Partial<OnnxOptions> = {}) {
  const warnings: string[] = [];
  const log = createLog('info', { write: (line) => void warnings.push(line) });
  const provider = await createOnnxProvider({ folder, allowRestricted: false, log, ...options });
  onTestFinished(async () => provider.close?.());
  return { provider, warnings, status: (model: string) => provider.status(signal, model) };
}

async function modelOf(folder: string, model: string) {
  const entry = (await readShelf(folder, false)).find(({ name }) => name === model);
  if (entry?.kind !== 'model') throw new Error(`There is no model ${model}.`);
  return entry;
}

/** Ends the next process of a model as soon as there is one. */
async function killNext(others: ReadonlySet<number>): Promise<void> {
  await until(async () => {
    const [id] = (await modelProcesses()).filter((one) => !others.has(one));
    if (id !== undefined) process.kill(id, 'SIGKILL');
    return id !== undefined;
  }, 20_000);
}

describe('what an examination has found', () => {
  it('is forgotten after a while where the trouble may have passed', async () => {
    const folder = await folderWith('denoise');
    const { status, warnings } = await open(folder, { retryMs: 1000 });
    const others = new Set(await modelProcesses());
    const [first] = await Promise.all([status('denoise'), killNext(others)]);
    expect(first).toEqual({
      available: false,
      reason: expect.stringMatching(/^denoise\.onnx cannot be used: .*ended.*\. It is tried again after a while\.$/),
    });
    // Not by each question.
    expect([await status('denoise'), await modelProcesses()]).toEqual([first, []]);
    await sleep(1100);
    expect(await status('denoise')).toEqual({ available: true });
    expect(warnings.length).toBe(1);
  });

  it('stays where the model itself is to blame, for as long as its file is the same', async () => {
    const folder = await folderWith('denoise');
    const file = join(folder, 'denoise.onnx');
    await writeFile(file, 'half of it');
    const { status, warnings } = await open(folder, { retryMs: 1 });
    const refused = await status('denoise');
    expect(refused.reason).toContain('not an ONNX model');
    await sleep(50);
    expect(await status('denoise')).toEqual(refused);
    expect(warnings.length).toBe(1);
    await copyFile(join(ONNX_FIXTURES, 'denoise.onnx'), file);
    expect(await status('denoise')).toEqual({ available: true });
    await rm(file);
    expect((await status('denoise')).reason).toContain('is missing');
  });

  it('is asked for again later and later while the trouble stays', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const trouble: Problem = { reason: 'cannot be used: busy', isPassing: true };
    const examine = vi.fn<ForeignRunner['examine']>(async () => trouble);
    const runner = { examine } as unknown as ForeignRunner;
    const ask = createExaminations({ runner, retryMs: 60_000, closing: signal, log: createLog('silent') });
    const entry = await modelOf(await folderWith('denoise'), 'denoise');
    const minutes: number[] = [];
    for (let minute = 0; minute < 16; minute++) {
      const before = examine.mock.calls.length;
      await Promise.all([ask(entry), ask(entry)]);
      if (examine.mock.calls.length > before) minutes.push(minute);
      vi.advanceTimersByTime(60_000);
    }
    expect(minutes).toEqual([0, 1, 3, 7, 15]);
  });
});

it.each([
  ['CUDNN failure 4: CUDNN_STATUS_INTERNAL_ERROR ; GPU=0', 'PROVIDER_UNAVAILABLE'],
  ['CUDA failure 2: out of memory ; GPU=0', 'INSUFFICIENT_MEMORY'],
  ["Non-zero status code returned while running Reshape node. Name:''", 'PROVIDER_REJECTED'],
])('of what the runtime says, only what is of the model counts against it: %s', (text, code) => {
  expect(explained(new Error(text)).code).toBe(code);
});

describe('one model at a time', () => {
  it('while another one is examined', async () => {
    const folder = await folderWith('denoise', 'esrgan-2x');
    const runner = createForeignRunner({ executionProviders: ['cpu'], limits, log: createLog('silent') });
    onTestFinished(() => runner.close());
    const [denoise, esrgan] = [await modelOf(folder, 'denoise'), await modelOf(folder, 'esrgan-2x')];
    const source = createRaster({ width: 1200, height: 1200, channels: 3, depth: 8 });
    const ended: string[] = [];
    let most = 0;
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    source.data.fill(90, 0, 1000);
    const running = runner
      .run(denoise, { source, strength: 1, parameters: {}, signal, onTile: begun })
      .then(() => ended.push('job'));
    await hasBegun;
    const examining = runner.examine(esrgan, signal).then((problem) => ended.push(problem?.reason ?? 'examination'));
    await until(async () => {
      most = Math.max(most, (await modelProcesses()).length);
      return ended.length === 2;
    }, 60_000);
    await Promise.all([running, examining]);
    expect([most, ended]).toEqual([1, ['job', 'examination']]);
  });

  it('jobs first, but an examination is not put off for ever', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const ask = (kind: 'job' | 'examination', name: string, by = signal) =>
      turns.run(kind, by, async () => {
        order.push(name);
        await sleep(1);
      });
    const gone = new AbortController();
    const asked = [ask('job', 'first'), ask('examination', 'x1'), ask('examination', 'x2')];
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) asked.push(ask('job', name));
    const given = ask('job', 'given up', gone.signal);
    gone.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
    await Promise.all(asked);
    expect(order).toEqual(['first', 'a', 'b', 'c', 'd', 'x1', 'e', 'f', 'x2']);
  });

  it('goes on after work that fails', async () => {
    const turns = createTurns();
    await expect(turns.run('job', signal, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await turns.run('examination', signal, async () => 'yes')).toBe('yes');
  });
});

describe('the process of a model', () => {
  async function start(described = true, environment?: Record<string, string>) {
    const folder = await folderWith('denoise');
    const { path, manifest } = await modelOf(folder, 'denoise');
    const own = createModelProcess({
      path,
      manifest: described ? manifest : undefined,
      executionProviders: ['cpu'],
      limits,
      environment,
    });
    onTestFinished(() => own.kill());
    return own;
  }
  const source = createRaster({ width: 8, height: 8, channels: 3, depth: 8 });
  const job = { source, strength: 1, parameters: {}, signal };

  it('keeps nothing of the pictures it has done', async () => {
    class Mark {
      readonly of = 'a picture';
    }
    const own = await start();
    await own.open(signal);
    for (let i = 0; i < 40; i++) await own.run({ ...job, onTile: Object.assign(() => {}, { mark: new Mark() }) });
    expect(queryObjects(Mark, { format: 'count' })).toBeLessThan(3);
  });

  it('has of the environment what finds the libraries of a device, and nothing else', async () => {
    const { modelEnvironment: environment } = readConfig({ LD_LIBRARY_PATH: '/opt/cuda', JWT_SECRET: 'x'.repeat(32) });
    const others = new Set(await modelProcesses());
    await (await start(true, environment)).open(signal);
    const [id] = (await modelProcesses()).filter((one) => !others.has(one));
    const given = (await readFile(`/proc/${id}/environ`, 'utf8')).split('\0').filter(Boolean);
    // Node's own channel to it goes by these.
    expect(given.filter((one) => !one.startsWith('NODE_CHANNEL_'))).toEqual(['LD_LIBRARY_PATH=/opt/cuda']);
  });

  it('says so when it is given a picture without a manifest, or before it is opened', async () => {
    const begun = performance.now();
    const own = await start(false);
    await expect(own.run({ ...job, onTile })).rejects.toMatchObject({ message: 'The model was not opened.' });
    const other = await start(false);
    await other.open(signal);
    await expect(other.run({ ...job, onTile })).rejects.toMatchObject({
      code: 'PROVIDER_REJECTED',
      message: expect.stringContaining('without a manifest'),
    });
    expect(performance.now() - begun).toBeLessThan(limits.tileMs / 2);
  });
});
