import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { createBuiltinProvider } from '../src/providers/builtin.ts';
import type { Provider, RestoreOptions, RestoreRequest } from '../src/providers/provider.ts';
import { describeProvider } from './contracts/provider.ts';
import { blur, fade, grain, photoPath, psnr, readPhoto, samplePath, writePng } from './fixtures/damage.ts';

const pool = createPixelPool({ size: 1 });
const { signal } = new AbortController();
let folder: string;
let provider: Provider;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-builtin-'));
  provider = createBuiltinProvider();
});
afterAll(async () => {
  await provider.close?.();
  await pool.close();
  await rm(folder, { recursive: true, force: true });
});

async function requestFor(path: string, model = 'auto', options: RestoreOptions = {}): Promise<RestoreRequest> {
  const { width, height, format } = await sharp(path).metadata();
  const { size } = await stat(path);
  const input = { path, format, width, height, bytes: size, mimeType: `image/${format}` };
  return { restorationId: 'restoration', attempt: 1, model, parameters: {}, options, input };
}

async function restore(photo: string | Raster, model = 'auto', options: RestoreOptions = {}) {
  const path = typeof photo === 'string' ? photo : join(folder, `${Math.random()}.png`);
  if (typeof photo !== 'string') await writePng(photo, path);
  const request = await requestFor(path, model, options);
  const result = await provider.restore(request, {
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  if (result.picture.kind !== 'raster') throw new Error('The built-in provider returns rasters.');
  return { raster: result.picture.raster, report: result.report };
}

describeProvider('builtin', {
  create: () => createBuiltinProvider(),
  quick: () => requestFor(samplePath('astronaut.jpg')),
  slow: async () => {
    const path = join(folder, 'large.jpg');
    await sharp(samplePath('astronaut.jpg')).resize(3000).jpeg().toFile(path);
    return requestFor(path, 'upscale-2x');
  },
});

describe('auto', () => {
  const undamaged = ['camera.png', 'chelsea.png', 'coffee.png', 'rocket.jpg'].map(photoPath);
  it.each([...undamaged, samplePath('astronaut-original.png')])(
    'leaves an undamaged photo essentially as it is: %s',
    async (path) => {
      const photo = await readPhoto(path);
      const { raster } = await restore(path);
      expect(psnr(raster, photo)).toBeGreaterThan(40);
    },
  );

  it('says in plain words that an undamaged photo was left alone', async () => {
    const { report } = await restore(photoPath('coffee.png'));
    expect(report.steps.filter((step) => step.ran)).toEqual([]);
    expect(report.gate).toMatchObject({ verdict: 'UNTOUCHED', reason: expect.stringContaining('the photo as it was') });
  });

  it('makes the aged sample clearly better', async () => {
    const clean = await readPhoto(samplePath('astronaut-original.png'));
    const aged = await readPhoto(samplePath('astronaut.jpg'));
    const { raster, report } = await restore(samplePath('astronaut.jpg'));
    expect(psnr(raster, clean)).toBeGreaterThan(psnr(aged, clean) + 4);
    expect(report.steps.filter((step) => step.ran).map((step) => step.name)).toEqual(['denoise', 'tone']);
  });

  it.each([
    ['grain', 4, (photo: Raster) => grain(photo, 16)],
    ['coarse grain', 3, (photo: Raster) => grain(photo, 16, 2)],
    ['fading', 3, (photo: Raster) => fade(photo)],
    ['blur', 0.4, (photo: Raster) => blur(photo, 1.3)],
  ] as const)('mends %s by at least %d dB', async (_kind, gain, damage) => {
    const clean = await readPhoto(photoPath('coffee.png'));
    const damaged = await damage(clean);
    const { raster } = await restore(damaged);
    expect(psnr(raster, clean)).toBeGreaterThan(psnr(damaged, clean) + gain);
  });

  it('keeps a grey photo grey and a sepia photo in its hue', async () => {
    const grey = await restore(fade(await readPhoto(photoPath('camera.png'))));
    expect(grey.raster.channels).toBe(1);
    const path = join(folder, 'sepia.png');
    const photo = await readPhoto(photoPath('camera.png'));
    const sepia = createRaster({ ...photo, channels: 3 });
    for (let i = 0; i < sepia.data.length; i++) {
      const level = 40 + 0.6 * (photo.data[Math.floor(i / 3)] ?? 0);
      sepia.data[i] = level * ([1, 0.88, 0.66][i % 3] ?? 1);
    }
    await writePng(sepia, path);
    const { raster, report } = await restore(path);
    expect(report.steps.find((step) => step.name === 'tone')?.ran).toBe(true);
    let warm = 0;
    for (let i = 0; i < raster.data.length; i += 3) {
      if ((raster.data[i] ?? 0) >= (raster.data[i + 2] ?? 0)) warm++;
    }
    expect(warm).toBe(raster.width * raster.height);
  });

  it('keeps 16 bits and alpha', async () => {
    const path = join(folder, 'deep.png');
    const { data, info } = await sharp(photoPath('chelsea.png'))
      .linear(0.6, 40)
      .ensureAlpha(0.5)
      .raw()
      .toBuffer({ resolveWithObject: true });
    const deep = Uint16Array.from(data, (sample) => sample * 257);
    await sharp(deep, { raw: { width: info.width, height: info.height, channels: 4 } })
      .toColourspace('rgb16')
      .png()
      .toFile(path);
    const { raster } = await restore(path);
    expect(raster).toMatchObject({ channels: 4, depth: 16 });
    expect(raster.data[3]).toBe(data[3]! * 257);
    expect(raster.data.some((sample) => sample % 257 !== 0)).toBe(true);
  });

  it('goes half the way at strength 0.5 and nowhere at 0', async () => {
    const damaged = fade(await readPhoto(photoPath('coffee.png')));
    const full = await restore(damaged);
    const half = await restore(damaged, 'auto', { strength: 0.5 });
    const none = await restore(damaged, 'auto', { strength: 0 });
    const middle = createRaster(damaged);
    middle.data.forEach((_level, i) => {
      middle.data[i] = Math.round(((damaged.data[i] ?? 0) + (full.raster.data[i] ?? 0)) / 2);
    });
    expect(psnr(half.raster, middle)).toBeGreaterThan(45);
    expect(psnr(none.raster, damaged)).toBe(Infinity);
    const left = none.report.steps.filter(({ name }) => name !== 'upscale').map(({ reason }) => reason);
    expect(new Set(left)).toEqual(new Set(['Strength 0 leaves the photo as it is.']));
  });
});

describe('enlarging', () => {
  it('doubles a photo better than Lanczos alone', async () => {
    const clean = await readPhoto(photoPath('coffee.png'));
    const path = join(folder, 'half.png');
    await sharp(photoPath('coffee.png')).resize(300, 200, { kernel: 'cubic' }).png().toFile(path);
    const lanczos = join(folder, 'lanczos.png');
    await sharp(path).resize(600, 400, { kernel: 'lanczos3' }).png().toFile(lanczos);
    const { raster } = await restore(path, 'upscale-2x');
    expect(raster).toMatchObject({ width: 600, height: 400 });
    expect(psnr(raster, clean)).toBeGreaterThan(psnr(await readPhoto(lanczos), clean) + 0.1);
  });

  it.each([2, 4] as const)('×%d is a plain enlargement at strength 0, and half way at 0.5', async (factor) => {
    const path = join(folder, `part-${factor}.png`);
    await sharp(photoPath('coffee.png')).resize(150, 100).png().toFile(path);
    const photo = await readPhoto(path);
    const [full, half, none] = await Promise.all(
      [1, 0.5, 0].map((strength) => restore(path, `upscale-${factor}x`, { strength })),
    );
    const plain = createRaster({ ...photo, width: photo.width * factor, height: photo.height * factor });
    const { width, height } = plain;
    await pool.run('upscale', { source: photo, target: plain, factor, sigma: 1, amount: 0 }, { width, height, signal });
    expect(psnr(none!.raster, plain)).toBe(Infinity);
    expect(full!.raster).toMatchObject({ width, height });
    expect(psnr(full!.raster, plain)).toBeLessThan(45);
    const off = half!.raster.data.map((level, i) => Math.abs(2 * level - full!.raster.data[i]! - plain.data[i]!));
    // Where the full effect was clipped, half of it was not.
    expect(off.filter((difference) => difference > 2).length).toBeLessThan(off.length / 100);
    expect([full, half, none].map((made) => made!.report.steps.at(-1))).toMatchObject([
      { ran: true, strength: 1 },
      { ran: true, strength: 0.5 },
      { ran: true, strength: 0 },
    ]);
  });

  it('quadruples with alpha and lets no colour bleed out of what is transparent', async () => {
    const path = join(folder, 'alpha.png');
    const pixels = Buffer.alloc(32 * 32 * 4);
    for (let i = 0; i < 32 * 32; i++) pixels.set(i % 32 < 16 ? [255, 0, 0, 0] : [0, 0, 255, 255], i * 4);
    await sharp(pixels, { raw: { width: 32, height: 32, channels: 4 } })
      .png()
      .toFile(path);
    const { raster } = await restore(path, 'upscale-4x');
    expect(raster).toMatchObject({ width: 128, height: 128, channels: 4 });
    const red: number[] = [];
    for (let i = 0; i < raster.data.length; i += 4) {
      if ((raster.data[i + 3] ?? 0) > 127) red.push(raster.data[i] ?? 0);
    }
    expect(Math.max(...red)).toBeLessThan(40);
  });

  it('works on a picture of one pixel', async () => {
    const path = join(folder, 'dot.png');
    await sharp({ create: { width: 1, height: 1, channels: 3, background: '#804020' } })
      .png()
      .toFile(path);
    expect((await restore(path, 'upscale-4x')).raster).toMatchObject({ width: 4, height: 4 });
    expect((await restore(path)).raster).toMatchObject({ width: 1, height: 1 });
  });

  it('refuses a result that is too large, in words that say what to do', async () => {
    const small = createBuiltinProvider({ maxResultPixels: 1e6 });
    const request = await requestFor(photoPath('coffee.png'), 'auto', { upscale: 4 });
    const running = small.restore(request, { signal: new AbortController().signal, onProgress: () => undefined });
    await expect(running).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringContaining('smaller'),
    });
    await small.close?.();
  });
});
