import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillMasked } from '../src/imaging/fill.ts';
import { measure } from '../src/imaging/measure/measure.ts';
import type { Nets } from '../src/imaging/nets.ts';
import { NoPicture } from '../src/imaging/no-picture.ts';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { upscale } from '../src/imaging/steps/upscale.ts';
import { createBuiltinProvider } from '../src/providers/builtin.ts';
import type { RestoreOptions } from '../src/providers/provider.ts';
import { blur, grain, photoPath, psnr, readPhoto, samplePath, viaSharp, writePng } from './fixtures/damage.ts';
import { handMadeNets } from './fixtures/line-net.ts';

const pixels = createPixelPool();
const { signal } = new AbortController();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-repair-'));
});
afterAll(async () => {
  await pixels.close();
  await rm(folder, { recursive: true, force: true });
});

const plane = (photo: Raster): Raster => createRaster({ ...photo, channels: 1, depth: 8 });

/** Scratches from top to bottom, a few pixels wide and slightly bent, and specks of dust. */
function scratches(photo: Raster): Raster {
  const mask = plane(photo);
  const mark = (x: number, y: number): void => {
    if (x >= 0 && x < photo.width && y >= 0 && y < photo.height) mask.data[y * photo.width + x] = 255;
  };
  for (const [start, slope, width] of [
    [0.13, 0.31, 2],
    [0.42, -0.11, 3],
    [0.77, -0.23, 1],
  ] as const) {
    for (let y = 0; y < photo.height; y++) {
      const x = Math.round(start * photo.width + slope * y + 4 * Math.sin(y / 40));
      for (let dx = 0; dx < width; dx++) mark(x + dx, y);
    }
  }
  for (let i = 0; i < 40; i++) {
    const x = (i * 7919) % photo.width;
    const y = (i * 104_729) % photo.height;
    for (let dy = 0; dy < 3; dy++) for (let dx = 0; dx < 2 + (i % 2); dx++) mark(x + dx, y + dy);
  }
  return mask;
}

/** A photo with what `mask` marks painted white. */
function painted(photo: Raster, mask: Raster): Raster {
  const out = createRaster(photo);
  const top = photo.depth === 16 ? 65_535 : 255;
  const colours = photo.channels > 2 ? 3 : 1;
  for (let i = 0; i < out.data.length; i++) {
    const isPainted = i % photo.channels < colours && mask.data[Math.floor(i / photo.channels)] !== 0;
    out.data[i] = isPainted ? top * 0.96 : photo.data[i]!;
  }
  return out;
}

/** PSNR over the pixels that `mask` marks, dB. */
function psnrInside(a: Raster, b: Raster, mask: Raster): number {
  let squares = 0;
  let count = 0;
  for (let i = 0; i < a.data.length; i++) {
    if (mask.data[Math.floor(i / a.channels)] === 0) continue;
    squares += (a.data[i]! - b.data[i]!) ** 2;
    count++;
  }
  const top = a.depth === 16 ? 65_535 : 255;
  return 10 * Math.log10((top * top * count) / squares);
}

const fill = (photo: Raster, mask: Raster, share = 1): Promise<Raster> =>
  fillMasked(photo, mask, { pixels, share, signal, onProgress: () => undefined });

describe('filling', () => {
  it.each(['coffee.png', 'chelsea.png', 'camera.png'])(
    'brings %s back under scratches and leaves the rest',
    async (name) => {
      const clean = await readPhoto(photoPath(name));
      const mask = scratches(clean);
      const hurt = painted(clean, mask);
      const filled = await fill(hurt, mask);
      expect(psnrInside(filled, clean, mask)).toBeGreaterThan(psnrInside(hurt, clean, mask) + 15);
      const outside = createRaster(mask);
      for (let i = 0; i < mask.data.length; i++) outside.data[i] = mask.data[i] === 0 ? 1 : 0;
      expect(psnrInside(filled, clean, outside)).toBe(Infinity);
    },
  );

  it('continues a slope exactly, and goes half the way at half the share', async () => {
    const slope = createRaster({ width: 200, height: 150, channels: 1, depth: 16 });
    for (let i = 0; i < slope.data.length; i++) slope.data[i] = 5000 + 200 * (i % 200) + 100 * Math.floor(i / 200);
    const mask = scratches(slope);
    const hurt = painted(slope, mask);
    const filled = await fill(hurt, mask);
    const half = await fill(hurt, mask, 0.5);
    for (let i = 0; i < slope.data.length; i++) {
      const x = i % 200;
      const y = Math.floor(i / 200);
      // At the edges of a picture nothing says how it goes on.
      const isInside = x > 12 && y > 12 && x < 188 && y < 138;
      expect(Math.abs(filled.data[i]! - slope.data[i]!)).toBeLessThan((isInside ? 2 : 4) * 257);
      expect(Math.abs(half.data[i]! - (hurt.data[i]! + filled.data[i]!) / 2)).toBeLessThan(1.01);
    }
  });

  it('shows no seam between tiles: a shifted picture is filled alike', async () => {
    const photo = await readPhoto(photoPath('coffee.png'));
    const mask = scratches(photo);
    // A wide hole, which is filled from smaller copies, at a place where four tiles meet.
    for (let y = 240; y < 280; y++) for (let x = 240; x < 280; x++) mask.data[y * photo.width + x] = 255;
    const cut = (raster: Raster): Raster => {
      const out = createRaster({ ...raster, width: raster.width - 64, height: raster.height - 64 });
      for (let y = 0; y < out.height; y++) {
        const from = ((y + 64) * raster.width + 64) * raster.channels;
        out.data.set(raster.data.subarray(from, from + out.width * raster.channels), y * out.width * raster.channels);
      }
      return out;
    };
    const whole = cut(await fill(photo, mask));
    const shifted = await fill(cut(photo), cut(mask));
    let most = 0;
    let different = 0;
    // Away from the edge that the cut has made.
    for (let y = 40; y < whole.height; y++) {
      for (let i = y * whole.width * 3 + 120; i < (y + 1) * whole.width * 3; i++) {
        const difference = Math.abs(whole.data[i]! - shifted.data[i]!);
        most = Math.max(most, difference);
        if (difference > 2) different++;
      }
    }
    // A coefficient just at a threshold is kept in the one and dropped in the other.
    expect(most).toBeLessThanOrEqual(6);
    expect(different).toBeLessThan(100);
  });

  it('works on a picture of one pixel, on a line, and where nothing is known', async () => {
    for (const [width, height] of [
      [1, 1],
      [40, 1],
      [3, 50],
      [7, 7],
    ] as const) {
      const photo = createRaster({ width, height, channels: 3, depth: 8 });
      photo.data.fill(90);
      const mask = plane(photo);
      mask.data.fill(255);
      expect((await fill(photo, mask)).data.length).toBe(photo.data.length);
      mask.data.fill(0, 0, mask.data.length - 1);
      const hurt = painted(photo, mask);
      const expected = width * height === 1 ? hurt.data[0] : 90;
      expect((await fill(hurt, mask)).data.every((sample) => sample === expected)).toBe(true);
    }
  });
});

async function restore(photo: Raster, model: string, options: RestoreOptions, nets: Nets = handMadeNets([])) {
  const path = join(folder, `${Math.random()}.png`);
  await writePng(photo, path);
  const { width, height } = photo;
  const input = { path, format: 'png', width, height, bytes: (await stat(path)).size, mimeType: 'image/png' };
  const provider = createBuiltinProvider({ pixels, nets });
  const request = { restorationId: 'restoration', attempt: 1, model, parameters: {}, options, input };
  const result = await provider.restore(request, { signal, onProgress: () => undefined });
  if (result.picture.kind !== 'raster') throw new Error('The built-in provider returns rasters.');
  return { ...result, raster: result.picture.raster, step: result.report.steps.find(({ name }) => name === model) };
}

describe('repair with a net', () => {
  it('finds scratches, says how many, fills them and hands the mask out', async () => {
    const clean = await blur(await readPhoto(photoPath('coffee.png')), 1.5);
    const mask = scratches(clean);
    const hurt = painted(clean, mask);
    const { raster, step, mask: found } = await restore(hurt, 'repair', {}, handMadeNets(['mask']));
    expect(step?.reason).toMatch(/found on \d\.\d % of the photo and filled/);
    expect(psnr(raster, clean)).toBeGreaterThan(psnr(hurt, clean) + 4);
    expect(found).toMatchObject({ width: clean.width, height: clean.height, channels: 1, depth: 8 });
    let hits = 0;
    let marked = 0;
    mask.data.forEach((level, i) => {
      marked += level === 0 ? 0 : 1;
      hits += level !== 0 && found?.data[i] === 255 ? 1 : 0;
    });
    expect(hits / marked).toBeGreaterThan(0.6);
  });

  it('looks at reduced copies of a large scan as well, once more mirrored for BEST, and only at one for FAST', async () => {
    const large = createRaster({ width: 2400, height: 1600, channels: 1, depth: 8 });
    const widths = async (quality: RestoreOptions['quality'] & string): Promise<number[]> => {
      const nets = handMadeNets(['mask']);
      await restore(large, 'repair', { quality, repair: 'FORCE' }, nets);
      return nets.asked.map(({ width }) => width);
    };
    expect(await widths('FAST')).toEqual([1200]);
    expect(await widths('BALANCED')).toEqual([2400, 1200]);
    expect(await widths('BEST')).toEqual([2400, 2400, 1200, 1200]);
  });

  it('leaves a sharp photo alone in auto unless it is asked, and what is no damage in any case', async () => {
    const sharpPhoto = await readPhoto(photoPath('coffee.png'));
    const nets = handMadeNets(['mask']);
    const auto = await restore(sharpPhoto, 'auto', {}, nets);
    expect(auto.report.steps.find(({ name }) => name === 'repair')).toMatchObject({ ran: false });
    expect(nets.asked).toEqual([]);
    const stripes = createRaster({ width: 256, height: 256, channels: 1, depth: 8 });
    for (let i = 0; i < stripes.data.length; i++) stripes.data[i] = i % 8 < 3 ? 200 : 40;
    const { step, mask, raster } = await restore(stripes, 'repair', { repair: 'FORCE' }, handMadeNets(['mask']));
    expect(step).toMatchObject({ ran: false, strength: 0 });
    expect(mask).toBeUndefined();
    expect(psnr(raster, stripes)).toBe(Infinity);
  });

  it('leaves one patch alone that is too large to be filled, and fills the rest', async () => {
    const clean = await blur(await readPhoto(photoPath('coffee.png')), 1.5);
    const { width, height } = clean;
    const wide = plane(clean);
    for (let y = 40; y < 140; y++) wide.data.fill(255, y * width + 60, y * width + 160);
    const thin = plane(clean);
    for (let y = 0; y < height; y++) thin.data.fill(255, y * width + 300, y * width + 304);
    const hurt = painted(painted(clean, wide), thin);
    const nets = handMadeNets(['mask']);
    const all: Nets = {
      find(task, quality) {
        const net = nets.find(task, quality);
        if (net === undefined) return undefined;
        const run: typeof net.run = async (_source, target) => {
          target.data.set(wide.data.map((level, i) => Math.max(level, thin.data[i]!)));
        };
        return { ...net, run };
      },
    };
    const { raster, mask } = await restore(hurt, 'repair', {}, all);
    expect(mask?.data[90 * width + 110]).toBe(0);
    expect(mask?.data[90 * width + 302]).toBe(255);
    expect(psnrInside(raster, hurt, wide)).toBe(Infinity);
    expect(psnrInside(raster, clean, thin)).toBeGreaterThan(30);
  });

  it('does nothing when it is OFF', async () => {
    const photo = await blur(await readPhoto(photoPath('coffee.png')), 1.5);
    const nets = handMadeNets(['mask']);
    const { step } = await restore(photo, 'repair', { repair: 'OFF' }, nets);
    expect(step).toMatchObject({ ran: false, reason: 'No repair was asked for.' });
    expect(nets.asked).toEqual([]);
  });
});

describe('a net whose answer is no picture', () => {
  it.each([
    ['repair', 'repair', 'mask', 1],
    ['denoise', 'denoise', 'restore', 1],
    ['upscale-2x', 'upscale', 'upscale', 2],
    ['auto', 'denoise', 'restore', 1],
  ] as const)(
    '%s: the photo comes back, enlarged plainly where that was asked, and is told why',
    async (model, name, task, factor) => {
      const photo = grain(await blur(await readPhoto(photoPath('coffee.png')), 1.2), 12);
      const nets = handMadeNets([task]);
      const broken: Nets = {
        find(asked, quality) {
          const net = nets.find(asked, quality);
          if (net === undefined) return undefined;
          return { ...net, run: () => Promise.reject(new NoPicture('answered values that are no numbers')) };
        },
      };
      const { raster, report } = await restore(photo, model, { upscale: model === 'auto' ? 1 : factor }, broken);
      const step = report.steps.find((one) => one.name === name);
      expect(step?.reason).toContain('it answered values that are no numbers');
      expect(raster).toMatchObject({ width: photo.width * factor, height: photo.height * factor });
      const small = await viaSharp(raster, (image) => image.resize(photo.width, photo.height).png());
      expect(psnr(small, photo)).toBeGreaterThan(25);
    },
  );
});

describe('repair without a net', () => {
  it('says why it did not run on a sharp photo', async () => {
    const { step } = await restore(await readPhoto(photoPath('coffee.png')), 'repair', {});
    expect(step).toMatchObject({ ran: false, reason: expect.stringContaining('mask of your own') });
  });

  it.each(['coffee.png', 'chelsea.png', 'camera.png'])('makes a soft, scratched photo better: %s', async (name) => {
    const clean = await blur(await readPhoto(photoPath(name)), 2);
    const hurt = painted(clean, scratches(clean));
    const { raster, step } = await restore(hurt, 'repair', { repair: 'FORCE' });
    expect(step).toMatchObject({ ran: true, reason: expect.stringContaining('found on') });
    expect(psnr(raster, clean)).toBeGreaterThan(psnr(hurt, clean) + 3);
  });
});

describe('denoise and upscale with nets', () => {
  it('tells the net how much grain there is, mixes by the strength, and keeps transparency', async () => {
    const noisy = grain(await readPhoto(photoPath('coffee.png')), 16);
    const deep = createRaster({ ...noisy, channels: 4 });
    for (let i = 0; i < deep.data.length; i++) {
      deep.data[i] = i % 4 === 3 ? 77 : noisy.data[Math.floor(i / 4) * 3 + (i % 4)]!;
    }
    const nets = handMadeNets(['restore']);
    const { raster, step } = await restore(deep, 'denoise', { quality: 'BEST', strength: 0.7 }, nets);
    expect(step).toMatchObject({ ran: true });
    expect(nets.asked[0]).toMatchObject({ name: 'restore-best', run: { share: 0.7, controls: { jpeg: 0 } } });
    expect(nets.asked[0]?.run.controls['noise']).toBeCloseTo(16 / 50, 1);
    expect(raster.channels).toBe(4);
    expect(raster.data[3]).toBe(77);
  });

  it('leaves a clean photo alone', async () => {
    const nets = handMadeNets(['restore']);
    const { step } = await restore(await readPhoto(samplePath('astronaut-original.png')), 'denoise', {}, nets);
    expect(step?.ran).toBe(false);
    expect(nets.asked).toEqual([]);
  });

  it('enlarges ×2 in one pass and ×4 in two', async () => {
    const photo = await readPhoto(photoPath('camera.png'));
    const nets = handMadeNets(['upscale']);
    const twice = await restore(photo, 'upscale-2x', { quality: 'FAST' }, nets);
    const fourfold = await restore(photo, 'upscale-4x', { quality: 'FAST' }, nets);
    expect([twice.raster.width, fourfold.raster.width]).toEqual([2 * photo.width, 4 * photo.width]);
    expect(fourfold.raster.data[4 * photo.width * 4 + 4]).toBe(photo.data[photo.width + 1]);
    expect(nets.asked.map(({ width }) => width / photo.width)).toEqual([1, 1, 2]);
  });

  it.each([
    ['denoise', 'restore'],
    ['repair', 'mask'],
    ['upscale-2x', 'upscale'],
  ] as const)(
    '%s runs the net that its plan names, also where another photo has it refused meanwhile',
    async (model, task) => {
      const photo = grain(await readPhoto(photoPath('camera.png')), 8);
      const made = handMadeNets([task]);
      let answers = 1;
      const nets: Nets = { find: (...of) => (answers-- > 0 ? made.find(...of) : undefined) };
      await restore(photo, model, { quality: 'FAST' }, nets);
      expect(made.asked.map(({ name }) => name)).toEqual([`${task}-fast`]);
    },
  );

  it.each([2, 4] as const)(
    'mixes what the net makes of ×%d with the plain enlargement, and at 0 asks no net',
    async (factor) => {
      const photo = await readPhoto(photoPath('chelsea.png'));
      const deep = createRaster({ ...photo, channels: 4 });
      for (let i = 0; i < deep.data.length; i++) {
        deep.data[i] = i % 4 === 3 ? 255 - (i % 100) : photo.data[Math.floor(i / 4) * 3 + (i % 4)]!;
      }
      const nets = handMadeNets(['upscale']);
      const seen: number[] = [];
      const enlarged = async (strength: number): Promise<Raster> => {
        const options = { strength, upscale: factor, quality: 'BALANCED' } as const;
        const measurements = await measure(deep, { pixels, signal });
        const plan = upscale.plan(measurements, options, nets);
        if (!plan.run) throw new Error(plan.reason);
        const context = { signal, pixels, options, measurements, onProgress: (done: number) => void seen.push(done) };
        // Without the gate, which would leave such work out.
        const made = await upscale.run(deep, { ...context, strength: plan.strength, net: plan.net });
        return made as Raster;
      };
      const full = await enlarged(1);
      const asked = nets.asked.length;
      const plain = await enlarged(0);
      expect(nets.asked).toHaveLength(asked);
      seen.length = 0;
      const third = await enlarged(0.3);
      expect([third.width, third.height, third.channels]).toEqual([deep.width * factor, deep.height * factor, 4]);
      const off = third.data.map((level, i) => Math.abs(level - (0.3 * full.data[i]! + 0.7 * plain.data[i]!)));
      expect(off.every((difference) => difference <= 1)).toBe(true);
      expect(psnr(full, plain)).toBeLessThan(40);
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
      expect(seen.at(-1)).toBe(1);
    },
  );

  it.each([
    ['FAST', 3, 0],
    ['BALANCED', 2, 2],
    ['BEST', 1, 1],
  ] as const)('enlarges turned copies as well and takes the mean, upright: %s', async (quality, first, last) => {
    const photo = await readPhoto(photoPath('camera.png'));
    const { find } = handMadeNets(['upscale']);
    let passes = 0;
    // Brighter in the upper left quarter of whatever it is given.
    const nets: Nets = {
      find(task, asked) {
        const net = find(task, asked);
        return (
          net && {
            ...net,
            async run(source, target, run) {
              await net.run(source, target, run);
              passes++;
              for (let y = 0; y < target.height / 2; y++) {
                for (let x = 0; x < target.width / 2; x++) target.data[y * target.width + x]! += 3;
              }
            },
          }
        );
      },
    };
    const measurements = await measure(photo, { pixels, signal });
    const options = { strength: 1, upscale: 2, quality } as const;
    // Without the gate, which would leave such work out.
    const made = await upscale.run(photo, {
      signal,
      pixels,
      net: nets.find('upscale', quality),
      options,
      measurements,
      strength: 1,
      onProgress() {},
    });
    if (!('data' in made)) throw new Error('Enlarging answers a raster.');
    const raster: Raster = made;
    expect(passes).toBe({ FAST: 1, BALANCED: 2, BEST: 4 }[quality]);
    const brighter = (x: number, y: number): number =>
      raster.data[y * raster.width + x]! - photo.data[(y >> 1) * photo.width + (x >> 1)]!;
    expect([brighter(40, 30), brighter(raster.width - 40, 30)]).toEqual([first, last]);
  });
});
