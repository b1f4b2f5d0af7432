import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { samplePath } from './fixtures/damage.ts';
import { appForTest, RESTORE, startApp, type TestApp } from './helpers/app.ts';
import { folderForTest, runCli } from './helpers/cli.ts';
import { modelProcesses, ONNX_FIXTURES, putModel } from './helpers/onnx-models.ts';
import { until } from './helpers/service.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const MODELS = `{ models { id name capability provider licence options upscales parameters status { available examining reason } } }`;

let models: string;
let app: TestApp;
let token: string;
beforeAll(async () => {
  models = await mkdtemp(join(tmpdir(), 'heirloom-own-models-'));
  for (const model of ['esrgan-2x', 'denoise', 'fbcnn', 'nan-bright']) await putModel(models, model);
  await putModel(models, 'truncated');
  // The name of a model that Heirloom brings along: both have their place.
  await putModel(models, 'esrgan-2x', { name: 'upscale-2x' });
  app = await startApp({ MODELS_DIR: models });
  token = await app.guest();
});
afterAll(async () => {
  await app.close();
  await rm(models, { recursive: true, force: true });
});

const photo = (side: number): Promise<Buffer> => sharp(samplePath('astronaut.jpg')).resize(side).jpeg().toBuffer();

async function submit(modelId: string, bytes: Buffer, options: object = {}): Promise<string> {
  const { data, errors } = await app.upload(RESTORE, { file: { bytes } }, { modelId, options }, token);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.restorePhoto.restoration.id;
}

describe('models of one’s own, through the API', () => {
  it('are listed with what they take, whether they can be used, and why not', async () => {
    let listed: any[] = [];
    await until(async () => {
      ({ models: listed } = await app.ok(MODELS));
      return !listed.some(({ status }: any) => status.examining);
    }, 60_000);
    const byId = Object.fromEntries(listed.map((model: any) => [model.id, model]));
    expect(byId['onnx/esrgan-2x']).toMatchObject({
      provider: 'onnx',
      capability: 'UPSCALE',
      licence: 'MIT',
      upscales: [2],
      status: { available: true, reason: null },
    });
    expect(byId['onnx/fbcnn'].parameters.qf).toMatchObject({ type: 'number', minimum: 0, maximum: 1 });
    expect(byId['onnx/truncated'].status).toMatchObject({
      available: false,
      reason: expect.stringContaining('truncated.onnx'),
    });
    expect([byId['upscale-2x'].provider, byId['onnx/upscale-2x'].provider]).toEqual(['builtin', 'onnx']);
    const { models: usable } = await app.ok('{ models(availableOnly: true) { id } }');
    expect(usable.map(({ id }: any) => id)).not.toContain('onnx/truncated');
  });

  it('restore a photo, with a report', async () => {
    const id = await submit('onnx/esrgan-2x', await photo(200));
    const result = await app.ended(id, token);
    expect(result).toMatchObject({ status: 'SUCCEEDED', width: 400, height: 400 });
    expect(result.report.steps).toEqual([
      expect.objectContaining({ name: 'esrgan-2x', ran: true, reason: expect.stringContaining('×2') }),
    ]);
    expect(result.report.gate).toMatchObject({ verdict: expect.stringMatching(/^(PASSED|LOWERED)$/) });
    expect(result.report.gate.measures.length).toBeGreaterThan(3);
    expect(result.runs[0]).toMatchObject({ provider: 'onnx', error: null });
  });

  it('take parameters within their range only', async () => {
    const result = await app.ended(await submit('onnx/fbcnn', await photo(100), { parameters: { qf: 0.9 } }), token);
    expect(result.status).toBe('SUCCEEDED');
    const { errors } = await app.upload(
      RESTORE,
      { file: { bytes: await photo(100) } },
      { modelId: 'onnx/fbcnn', options: { parameters: { qf: 7 } } },
      token,
    );
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.options.parameters.qf' });
  });

  it('are refused by name when they cannot be used, and give the photo back, with the reason, when they answer nonsense', async () => {
    const { errors } = await app.upload(
      RESTORE,
      { file: { bytes: await photo(100) } },
      { modelId: 'onnx/truncated' },
      token,
    );
    expect(errors[0]?.extensions.code).toBe('MODEL_UNAVAILABLE');
    const sent = await photo(100);
    const result = await app.ended(await submit('onnx/nan-bright', sent), token);
    expect(result).toMatchObject({ status: 'SUCCEEDED', error: null, width: 100, height: 100 });
    expect(result.report.gate).toMatchObject({ verdict: 'REFUSED', reason: expect.stringContaining('as it was') });
    expect(result.report.steps[0]).toMatchObject({ ran: false, reason: expect.stringContaining('no numbers') });
    // Not compressed a second time: the very pixels that came in.
    const kept = Buffer.from(await (await fetch(result.url)).arrayBuffer());
    expect((await sharp(kept).raw().toBuffer()).equals(await sharp(sent).raw().toBuffer())).toBe(true);
  });

  it('tell how far they are, tile by tile, and a cancel ends the process', async () => {
    const took: number[] = [];
    // The machine may be busy with something else: the best of three is what the service takes.
    for (let round = 0; round < 3; round++) {
      const id = await submit('onnx/denoise', await photo(3000 - round));
      const state = async (): Promise<any> =>
        (await app.ok('query ($id: ID!) { restoration(id: $id) { status percent stage } }', { id }, token)).restoration;
      const seen = new Set<number>();
      await until(async () => {
        const { percent, stage } = await state();
        if (stage === 'DENOISING') seen.add(percent);
        return seen.size > 3;
      }, 60_000);
      const begun = performance.now();
      await app.ok(
        'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { status } } }',
        { id },
        token,
      );
      expect((await state()).status).toBe('CANCELLED');
      took.push(performance.now() - begun);
      await expect.poll(modelProcesses, { timeout: 5000 }).toEqual([]);
    }
    expect(Math.min(...took)).toBeLessThan(500);
  });
});

describe('a model whose examination takes long', () => {
  it('delays no list: it is said to be under examination, and a restoration with it waits', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-slow-model-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await putModel(folder, 'denoise');
    const slow = await appForTest({ MODELS_DIR: folder });
    const query = '{ models { id status { available examining reason } } }';
    const statusOf = ({ models: listed }: any) => listed.find(({ id }: any) => id === 'onnx/denoise').status;

    const others = new Set(await modelProcesses());
    const begun = performance.now();
    const asked = slow.ok(query);
    let halted = 0;
    await until(async () => {
      halted = (await modelProcesses()).find((id) => !others.has(id)) ?? 0;
      return halted > 0;
    }, 20_000);
    process.kill(halted, 'SIGSTOP');
    expect(statusOf(await asked)).toEqual({
      available: false,
      examining: true,
      reason: 'It is still being examined; ask again in a moment.',
    });
    expect(performance.now() - begun).toBeLessThan(15_000);
    const usable = await slow.ok('{ models(availableOnly: true) { id } }');
    expect(usable.models.map(({ id }: any) => id)).toContain('auto');
    expect(usable.models.map(({ id }: any) => id)).not.toContain('onnx/denoise');

    const guest = await slow.guest();
    const file = { bytes: await photo(100) };
    const submitted = slow.upload(RESTORE, { file }, { modelId: 'onnx/denoise' }, guest);
    let answered = false;
    void submitted.then(() => (answered = true));
    await sleep(300);
    expect(answered).toBe(false);
    process.kill(halted, 'SIGCONT');
    const { data } = await submitted;
    const result = await slow.ended(data.restorePhoto.restoration.id, guest);
    expect(result.status).toBe('SUCCEEDED');
    expect(statusOf(await slow.ok(query))).toEqual({ available: true, examining: false, reason: null });
  });
});

describe('models add', () => {
  const add = (cwd: string, file: string, ...options: string[]) =>
    runCli(['models', 'add', join(ONNX_FIXTURES, file), ...options], { cwd });

  it.each([
    ['esrgan-2x.onnx', 'real-esrgan', { task: 'upscale', scale: 2, fixedSize: false, licence: 'BSD-3-Clause' }],
    ['esrgan-4x-fixed.onnx', 'real-esrgan', { scale: 4, fixedSize: true, tile: { size: 64, overlap: 16 } }],
    [
      'swin2sr-2x.onnx',
      'swin2sr',
      { multiple: 8, inputs: { image: 'pixel_values' }, outputs: { image: 'reconstruction' } },
    ],
    ['lama.onnx', 'lama', { inputs: { image: 'image', mask: 'mask' }, outputRange: 'detect' }],
  ])('writes a manifest for %s like %s, with which it can be used', async (file, family, wanted) => {
    const cwd = await folderForTest();
    const { code, stdout, stderr } = await add(cwd, file, '--like', family);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const name = file.replace('.onnx', '');
    expect(stdout).toContain(`onnx/${name}`);
    const manifest = JSON.parse(await readFile(join(cwd, 'data', 'models', `${name}.json`), 'utf8'));
    expect(manifest).toMatchObject({ name, ...wanted });
    const list = await runCli(['models', 'list'], { cwd });
    expect(list.stdout).toContain(`onnx/${name}: ${name}`);
    expect(list.stdout).not.toContain('Not available');
  });

  it.each([
    ['a file that is no model', ['text.onnx', '--like', 'real-esrgan'], 1, /text\.onnx is not an ONNX model/],
    ['a file that is not there', ['nothing.onnx', '--like', 'real-esrgan'], 1, /nothing\.onnx is missing/],
    ['weights elsewhere', ['external.onnx', '--like', 'scunet'], 1, /external\.onnx keeps weights in other files/],
    ['another family', ['ddcolor.onnx', '--like', 'real-esrgan', '--scale', '2'], 1, /choose another family/],
    ['a family without a mask', ['denoise.onnx', '--like', 'lama'], 1, /takes no mask/],
    ['an unknown scale', ['denoise.onnx', '--like', 'real-esrgan'], 1, /--scale 2 or 4/],
    ['no family', ['denoise.onnx'], 2, /--like is missing: one of real-esrgan/],
  ])('refuses %s', async (_what, [file = '', ...options], exit, message) => {
    const cwd = await folderForTest();
    const { code, stderr } = await add(cwd, file, ...options);
    expect(stderr).toMatch(message);
    expect(code).toBe(exit);
  });

  it('does not overwrite unless told to, and warns of a licence', async () => {
    const cwd = await folderForTest();
    const options = ['--like', 'scunet', '--licence', 'CC-BY-NC-4.0'];
    const first = await add(cwd, 'denoise.onnx', ...options);
    expect(first.stderr).toContain('ALLOW_NONCOMMERCIAL_MODELS');
    expect((await add(cwd, 'denoise.onnx', ...options)).stderr).toMatch(/exists already.*--replace/);
    expect((await add(cwd, 'denoise.onnx', ...options, '--replace')).code).toBe(0);
  });

  it('leaves a manifest that somebody has edited, also where the model is there already', async () => {
    const cwd = await folderForTest();
    const shelf = join(cwd, 'data', 'models');
    await mkdir(shelf, { recursive: true });
    await writeFile(join(shelf, 'denoise.json'), 'edited');
    const options = ['--like', 'scunet'];
    expect((await add(cwd, 'denoise.onnx', ...options)).stderr).toMatch(/denoise\.json exists already.*--replace/);
    expect(await readdir(shelf)).toEqual(['denoise.json']);
    expect(await readFile(join(shelf, 'denoise.json'), 'utf8')).toBe('edited');
    expect((await add(cwd, 'denoise.onnx', ...options, '--replace')).code).toBe(0);
    expect((await readdir(shelf)).toSorted()).toEqual(['denoise.json', 'denoise.onnx']);
  });
});
