import { mkdtemp, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type JpegOptions } from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { fileQuality } from '../src/imaging/file-quality.ts';
import { measure } from '../src/imaging/measure/measure.ts';
import type { Measurements } from '../src/imaging/measure/measurements.ts';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { blur, fade, grain, jpeg, mapSamples, photoPath, readPhoto, viaSharp } from './fixtures/damage.ts';

const pixels = createPixelPool();
afterAll(() => pixels.close());
const measured = (raster: Raster): Promise<Measurements> =>
  measure(raster, { pixels, signal: new AbortController().signal });

const coffee = await readPhoto(photoPath('coffee.png'));

/** How much the noise falls from low to high frequencies. */
const falls = (spectrum: readonly number[]): number => (spectrum[18] ?? 0) / (spectrum[63] ?? 1);

const grey = (raster: Raster, pixel: number): number =>
  (0.299 * (raster.data[pixel * 3] ?? 0) + 0.587 * (raster.data[pixel * 3 + 1] ?? 0)) / 255;

describe('noise', () => {
  it.each([6, 12, 20])('finds grain of σ %d within a quarter', async (sigma) => {
    const { noise } = await measured(grain(coffee, sigma));
    expect(noise.luma / sigma).toBeGreaterThan(0.75);
    expect(noise.luma / sigma).toBeLessThan(1.25);
    expect(noise.confidence).toBeGreaterThan(sigma < 10 ? 0.4 : 0.8);
  });

  it('is not fooled by grain that is larger than a pixel, and tells it from white noise by its spectrum', async () => {
    const white = (await measured(grain(coffee, 14))).noise;
    const coarse = (await measured(grain(coffee, 14, 2))).noise;
    expect(coarse.luma / 14).toBeGreaterThan(0.7);
    expect(falls(white.spectrum.luma)).toBeLessThan(1.3);
    expect(falls(coarse.spectrum.luma)).toBeGreaterThan(3);
  });

  it.each(['coffee.png', 'camera.png', 'rocket.jpg', 'chelsea.png'])('finds next to none in %s', async (name) => {
    expect((await measured(await readPhoto(photoPath(name)))).noise.luma).toBeLessThan(2.2);
  });

  it('does not take gravel for grain', async () => {
    expect((await measured(await readPhoto(photoPath('gravel.png')))).noise.confidence).toBeLessThan(0.1);
  });
});

describe('grain, as nets and people are told', () => {
  it.each([8, 14])('is found under a JPEG compression that took a part of it (σ %d)', async (sigma) => {
    const { noise } = await measured(await jpeg(grain(coffee, sigma), 60));
    expect(noise.sigma / sigma).toBeGreaterThan(0.75);
    expect(noise.sigma / sigma).toBeLessThan(1.3);
  });

  it.each(['coffee.png', 'camera.png', 'chelsea.png', 'gravel.png'])('is next to none in %s', async (name) => {
    expect((await measured(await readPhoto(photoPath(name)))).noise.sigma).toBeLessThan(1);
  });
});

describe('tone', () => {
  it('tells a faded photo with a cast from the same photo undamaged', async () => {
    const { tone } = await measured(fade(coffee));
    expect(tone.fade).toBeGreaterThan(0.8);
    expect(tone.cast).toBeGreaterThan(0.8);
    expect(tone.luminance.black).toBeCloseTo(0.16, 1);
    expect((await measured(coffee)).tone).toMatchObject({ fade: 0, cast: 0 });
  });

  it('finds no fading in a dark photo nor in a bright one', async () => {
    const dark = mapSamples(coffee, (level) => level * 0.6);
    const bright = mapSamples(coffee, (level) => 0.4 + level * 0.6);
    expect((await measured(dark)).tone.fade).toBe(0);
    expect((await measured(bright)).tone.fade).toBe(0);
  });

  it('is not fooled by a white frame around a faded photo', async () => {
    const faded = fade(coffee);
    const framed = mapSamples(faded, (level, _channel, pixel) => {
      const x = pixel % faded.width;
      const y = Math.floor(pixel / faded.width);
      return Math.min(x, y, faded.width - 1 - x, faded.height - 1 - y) < 16 ? 1 : level;
    });
    expect((await measured(framed)).tone.fade).toBeGreaterThan(0.8);
  });

  it('knows grey, sepia and colour', async () => {
    const sepia = mapSamples(coffee, (_level, channel, pixel) => grey(coffee, pixel) * ([1, 0.85, 0.6][channel] ?? 1));
    expect((await measured(sepia)).monochrome).toBe(true);
    expect((await measured(await readPhoto(photoPath('camera.png')))).monochrome).toBe(true);
    expect((await measured(coffee)).monochrome).toBe(false);
  });
});

describe('sharpness', () => {
  it('grows with the blur and is small without', async () => {
    const sigmas = await Promise.all(
      [0, 1, 1.6].map(async (sigma) => {
        const raster = sigma === 0 ? coffee : await blur(coffee, sigma);
        return (await measured(raster)).sharpness.blurSigma ?? Infinity;
      }),
    );
    expect(sigmas[0]).toBeLessThan(0.5);
    expect(sigmas[1]).toBeGreaterThan(0.45);
    expect(sigmas[2]).toBeGreaterThan((sigmas[1] ?? 0) + 0.2);
  });

  it('says nothing about a picture without edges', async () => {
    const flat = createRaster({ width: 200, height: 100, channels: 3, depth: 8 });
    flat.data.fill(120);
    const measurements = await measured(flat);
    expect(measurements.sharpness.blurSigma).toBeNull();
    expect(measurements.noise).toMatchObject({ luma: 0, confidence: 0 });
  });
});

describe('JPEG', () => {
  it('sees the grid of strong compression only', async () => {
    expect((await measured(await jpeg(coffee, 35))).jpeg.visible).toBe(true);
    expect((await measured(await jpeg(coffee, 95))).jpeg.visible).toBe(false);
    expect((await measured(coffee)).jpeg.blocking).toBeCloseTo(1, 1);
  });

  it.each([35, 55, 80])('reads quality %d from the pixels within 3, also on noise', async (quality) => {
    expect(Math.abs((await measured(await jpeg(coffee, quality))).jpeg.quality - quality)).toBeLessThanOrEqual(3);
    const noisy = await measured(await jpeg(grain(coffee, 10), quality));
    expect(Math.abs(noisy.jpeg.quality - quality)).toBeLessThanOrEqual(3);
  });

  it('reads it from a picture that was cropped and turned since', async () => {
    const { width, height } = coffee;
    const square = { left: 3, top: 5, width: width - 20, height: height - 16 };
    const odd = await viaSharp(await jpeg(coffee, 45), (image) => image.extract(square).rotate(90).png());
    expect(Math.abs((await measured(odd)).jpeg.quality - 45)).toBeLessThanOrEqual(3);
  });

  it.each(['coffee.png', 'camera.png', 'chelsea.png', 'gravel.png'])('finds no trace in %s', async (name) => {
    const photo = await readPhoto(photoPath(name));
    expect((await measured(photo)).jpeg.quality).toBe(100);
    expect((await measured(fade(photo))).jpeg.quality).toBe(100);
  });

  it('takes the word of a file that says worse than its pixels', async () => {
    const signal = new AbortController().signal;
    expect((await measure(coffee, { pixels, signal, fileQuality: 62 })).jpeg.quality).toBe(62);
  });
});

describe('the table of a JPEG file', () => {
  const signal = new AbortController().signal;
  const saved = async (options: JpegOptions): Promise<string> => {
    const path = join(await mkdtemp(join(tmpdir(), 'quality-')), 'a.jpg');
    await sharp(photoPath('coffee.png')).jpeg(options).toFile(path);
    return path;
  };

  it.each([30, 75, 95])('says quality %d', async (quality) => {
    expect(await fileQuality(await saved({ quality }), 'jpeg', signal)).toBe(quality);
  });

  it('is turned into the scale of libjpeg where the encoder has tables of its own', async () => {
    const path = await saved({ quality: 60, quantisationTable: 3 });
    const quality = (await fileQuality(path, 'jpeg', signal)) ?? 0;
    expect(quality).toBeGreaterThan(45);
    expect(quality).toBeLessThan(75);
  });

  it('is not there in other files, nor in one that is cut short', async () => {
    expect(await fileQuality(photoPath('coffee.png'), 'png', signal)).toBeNull();
    const path = await saved({ quality: 60 });
    await truncate(path, 40);
    expect(await fileQuality(path, 'jpeg', signal)).toBeNull();
  });
});

it('measures 16-bit pictures as it does 8-bit ones', async () => {
  const noisy = grain(coffee, 10);
  const deep = createRaster({ ...noisy, depth: 16 });
  noisy.data.forEach((sample, i) => (deep.data[i] = sample * 257));
  const [eight, sixteen] = await Promise.all([measured(noisy), measured(deep)]);
  expect(sixteen.noise.luma).toBeCloseTo(eight.noise.luma, 1);
  expect(sixteen.tone.luminance.white).toBeCloseTo(eight.tone.luminance.white, 2);
});
