import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { damageCoverage, type Coverage } from '../src/imaging/measure/coverage.ts';
import { measure } from '../src/imaging/measure/measure.ts';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import type { Raster } from '../src/imaging/raster.ts';
import { readRaster } from '../src/imaging/read-raster.ts';
import { readManifest } from '../src/inference/manifest.ts';
import { openNets, type OwnNets } from '../src/inference/nets.ts';
import { MODELS_FOLDER } from '../src/inference/shelf.ts';
import { createBuiltinProvider } from '../src/providers/builtin.ts';
import type { Provider, RestoreOptions } from '../src/providers/provider.ts';
import { blur, grain, photoPath, psnr, readPhoto, samplePath, writePng } from './fixtures/damage.ts';
import { appForTest, RESTORE } from './helpers/app.ts';

const NAMES = ['mask', 'restore-best', 'restore-fast', 'upscale-2x'];

let folder: string;
let nets: OwnNets;
let provider: Provider;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-shipped-'));
  nets = await openNets();
  provider = createBuiltinProvider({ nets });
});
afterAll(async () => {
  await provider.close?.();
  await nets.close();
  await rm(folder, { recursive: true, force: true });
});

async function restore(photo: Raster | string, model: string, options: RestoreOptions = {}) {
  const path = typeof photo === 'string' ? photo : join(folder, `${Math.random()}.png`);
  if (typeof photo !== 'string') await writePng(photo, path);
  const { width, height, format } = await sharp(path).metadata();
  const { size: bytes } = await stat(path);
  const input = { path, format, width, height, bytes, mimeType: `image/${format}` };
  const request = { restorationId: 'restoration', attempt: 1, model, parameters: {}, options, input };
  const { signal } = new AbortController();
  const { picture, report } = await provider.restore(request, { signal, onProgress: () => undefined });
  if (picture.kind !== 'raster') throw new Error('The built-in provider returns rasters.');
  return { raster: picture.raster, report };
}

describe('the files in models/', () => {
  it('are what their manifests say, have model cards and take no more than 6 MB', async () => {
    const files = await readdir(MODELS_FOLDER);
    expect(files.toSorted()).toEqual(NAMES.flatMap((name) => [`${name}.json`, `${name}.md`, `${name}.onnx`]));
    let all = 0;
    for (const name of NAMES) {
      const { file, sha256, bytes } = await readManifest(join(MODELS_FOLDER, `${name}.json`));
      const content = await readFile(join(MODELS_FOLDER, file));
      expect([createHash('sha256').update(content).digest('hex'), content.length]).toEqual([sha256, bytes]);
      all += bytes;
    }
    expect(all).toBeLessThan(6e6);
  });

  it('load here, every one', async () => {
    const found = await nets.tryAll();
    expect([found.map(({ name }) => name).toSorted(), nets.problems()]).toEqual([NAMES, []]);
  });
});

describe('with the shipped nets', () => {
  it('grain goes and the photo stays, thoroughly and fast', async () => {
    const clean = await readPhoto(photoPath('coffee.png'));
    const grainy = grain(clean, 16);
    const before = psnr(grainy, clean);
    const gains = [];
    for (const quality of ['BEST', 'FAST'] as const) {
      const { raster } = await restore(grainy, 'denoise', { quality });
      gains.push(psnr(raster, clean) - before);
    }
    expect(Math.min(...gains)).toBeGreaterThan(4);
    expect(gains[0]).toBeGreaterThan(gains[1]!);
  });

  it('damage is told of where there is some, and not in undamaged photos', async () => {
    const pixels = createPixelPool();
    const { signal } = new AbortController();
    const seen = async (photo: Raster): Promise<Coverage> =>
      damageCoverage(photo, { measurements: await measure(photo, { pixels, signal }), nets, pixels, signal });
    for (const name of ['camera.png', 'chelsea.png', 'coffee.png', 'rocket.jpg']) {
      const clean = await readPhoto(photoPath(name));
      const told = await seen(clean);
      expect([name, told.share ?? 0]).toEqual([name, expect.closeTo(0, 3)]);
      const soft = await blur(clean, 1.2);
      const { width, height, channels } = soft;
      // Three scratches of two pixels.
      for (const x of [70, 210, 350]) {
        for (let y = 0; y < height; y++)
          soft.data.fill(250, (y * width + x) * channels, (y * width + x + 2) * channels);
      }
      const { share } = await seen(grain(soft, 8));
      expect((share ?? 0) / (6 / width)).toBeGreaterThan(0.6);
      expect((share ?? 0) / (6 / width)).toBeLessThan(2.5);
    }
    await pixels.close();
  });

  it('an enlargement is nearer to the original than one by Lanczos', async () => {
    const clean = await readPhoto(photoPath('chelsea.png'));
    const { width, height } = clean;
    const even = { left: 0, top: 0, width: width & ~1, height: height & ~1 };
    const whole = join(folder, 'whole.png');
    await sharp(photoPath('chelsea.png')).extract(even).png().toFile(whole);
    const half = join(folder, 'half.png');
    await sharp(whole)
      .resize(even.width / 2, even.height / 2, { kernel: 'cubic' })
      .png()
      .toFile(half);
    const { raster } = await restore(half, 'upscale-2x', { upscale: 2 });
    const original = await readPhoto(whole);
    const lanczos = await readRaster(sharp(half).resize(even.width, even.height, { kernel: 'lanczos3' }));
    expect(psnr(raster, original)).toBeGreaterThan(psnr(lanczos, original) + 0.3);
  });

  it.each(['camera.png', 'chelsea.png', 'coffee.png', 'rocket.jpg'])(
    'an undamaged photo stays as it is: %s',
    async (name) => {
      const path = photoPath(name);
      const { raster } = await restore(path, 'auto');
      expect(psnr(raster, await readPhoto(path))).toBeGreaterThan(40);
    },
  );

  it('the service fills scratches, takes out grain and brings colours back, and nothing is missing', async () => {
    const app = await appForTest({ USE_NETS: 'true' });
    const token = await app.guest();
    const file = { bytes: await readFile(samplePath('astronaut.jpg')) };
    const { data } = await app.upload(RESTORE, { file }, {}, token);
    const done = await app.ended(data.restorePhoto.restoration.id, token);
    expect([done.status, done.report.gate.verdict]).toEqual(['SUCCEEDED', 'PASSED']);
    const ran = done.report.steps.filter((step: any) => step.ran).map((step: any) => step.name);
    expect(ran).toEqual(['repair', 'denoise', 'tone']);
    const { models } = await app.ok('{ models { id status { available note } } }');
    expect(models.map(({ status }: any) => status)).toEqual(models.map(() => ({ available: true, note: null })));
  });
});
