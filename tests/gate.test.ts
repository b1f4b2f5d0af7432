import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHarmGate, type Effect, type Work } from '../src/imaging/gate/gate.ts';
import type { Measurements } from '../src/imaging/measure/measurements.ts';
import { measure } from '../src/imaging/measure/measure.ts';
import { NO_NETS } from '../src/imaging/nets.ts';
import { runPipeline, type Step } from '../src/imaging/pipeline.ts';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { channelsFrom, createRaster, type Raster } from '../src/imaging/raster.ts';
import type { GateMeasure } from '../src/imaging/report.ts';
import { denoise } from '../src/imaging/steps/denoise.ts';
import {
  blur,
  fade,
  gaussian,
  grain,
  jpeg,
  mapSamples,
  photoPath,
  psnr,
  readPhoto,
  viaSharp,
} from './fixtures/damage.ts';
import { addGrain } from './quality/damage/grain.ts';
import { decode } from './quality/files.ts';
import { toBytes, type Picture } from './quality/picture.ts';
import { createRandom } from './quality/random.ts';

const pixels = createPixelPool({ size: 2 });
afterAll(() => pixels.close());
const never = (): AbortSignal => new AbortController().signal;
const gate = createHarmGate({ pixels, quality: 'BALANCED' });

let photo: Raster;
let measurements: Measurements;
beforeAll(async () => {
  photo = await readPhoto(photoPath('chelsea.png'));
  measurements = await measure(photo, { pixels, signal: never() });
});

const judge = (before: Raster, after: Raster, effect: Effect, more: Partial<Work> = {}) =>
  gate.judge({ before, after, effect, step: 'tried', ...more }, never());

function rasterOf(picture: Picture): Raster {
  const raster = createRaster({ ...picture, channels: 3, depth: 8 });
  raster.data.set(toBytes(picture));
  return raster;
}

const namesOf = (measures: readonly GateMeasure[]): string[] => measures.map(({ name }) => name);

/** A copy in which the pixels that `where` names are other ones. */
function repaint(raster: Raster, where: (x: number, y: number) => boolean, level: (at: number) => number): Raster {
  const out = createRaster(raster);
  const { width, channels } = raster;
  raster.data.forEach((sample, at) => {
    const pixel = Math.floor(at / channels);
    out.data[at] = where(pixel % width, Math.floor(pixel / width)) ? level(at) : sample;
  });
  return out;
}

const right = (raster: Raster, by: number): Raster => {
  const out = createRaster(raster);
  const { width, channels } = raster;
  out.data.forEach((_sample, at) => {
    const x = Math.floor(at / channels) % width;
    out.data[at] = raster.data[at - Math.min(x, by) * channels] ?? 0;
  });
  return out;
};

const addNoise = (raster: Raster, sigma: number): Raster => {
  const normal = gaussian(3);
  return mapSamples(raster, (level) => level + (sigma / 255) * normal());
};

/** Three scratches of two pixels from the top to the bottom. */
const onScratch = (x: number): boolean => [70, 71, 210, 211, 350, 351].includes(x);

describe('what the gate measures', () => {
  const harms: [measure: string, effect: Effect, harm: (photo: Raster) => Raster | Promise<Raster>][] = [
    ['structure', 'tone', (one) => mapSamples(one, () => 0.5)],
    [
      'structure',
      'grain',
      (one) =>
        repaint(
          one,
          (x, y) => x < 64 && y > 100 && y < 180,
          () => 0,
        ),
    ],
    ['contrast', 'tone', (one) => mapSamples(one, (level) => 0.5 + (level - 0.5) * 0.7)],
    ['brightness', 'grain', (one) => mapSamples(one, (level) => level + 10 / 255)],
    ['clipping', 'tone', (one) => mapSamples(one, (level) => (level - 0.45) * 2.5 + 0.5)],
    ['neutral', 'grain', (one) => mapSamples(one, (level, channel) => level + [10, 0, -10][channel]! / 255)],
    ['colour', 'grain', (one) => mapSamples(one, (level, channel) => level * [1.1, 1, 0.8][channel]!)],
    ['detail', 'grain', (one) => blur(one, 1.2)],
    ['invention', 'grain', (one) => addNoise(one, 5)],
    [
      'halo',
      'detail',
      (one) => viaSharp(one, (image) => image.sharpen({ sigma: 3, m1: 5, m2: 5, y2: 90, y3: 90 }).png()),
    ],
    ['shift', 'grain', (one) => right(one, 1)],
    [
      'patches',
      'places',
      (one) =>
        repaint(
          one,
          (x, y) => x > 60 && x < 180 && y > 60 && y < 160,
          () => 120,
        ),
    ],
    [
      'coverage',
      'places',
      (one) =>
        repaint(
          one,
          (x) => x % 8 === 0,
          () => 255,
        ),
    ],
  ];

  it.each(harms)('finds harm by “%s” in work on %s', async (name, effect, harm) => {
    const { failed } = await judge(photo, await harm(photo), effect);
    expect(namesOf(failed)).toContain(name);
    for (const { value, limit, explanation } of failed) {
      expect(value).toBeGreaterThan(limit);
      expect(explanation).toMatch(/^[a-z].{15,}\.$/);
    }
  });

  it.each(['tone', 'whole'] as const)('keeps a photo without colours without them, in work on %s', async (effect) => {
    const grey = createRaster(photo);
    grey.data.forEach((_, at) => (grey.data[at] = photo.data[at - (at % photo.channels) + 1]!));
    const shifted = (levels: number): Raster =>
      mapSamples(grey, (level, channel) => level + ([levels, 0, -levels][channel] ?? 0) / 255);
    expect(namesOf((await judge(grey, shifted(8), effect)).failed)).toEqual(['grey']);
    expect(await judge(grey, shifted(2), effect)).toMatchObject({ share: 1, failed: [] });
    expect(namesOf((await judge(photo, shifted(8), effect)).failed)).not.toContain('grey');
  });

  it('finds a fill where nothing stood out, and lets one pass that takes out a scratch', async () => {
    const smeared = await blur(photo, 5);
    const wrong = repaint(photo, onScratch, (at) => smeared.data[at] ?? 0);
    expect(namesOf((await judge(photo, wrong, 'places')).failed)).toContain('grounds');
    expect(namesOf((await judge(photo, wrong, 'places', { demanded: 'THAT' })).failed)).toEqual(['grounds']);
    const scratched = repaint(photo, onScratch, () => 235);
    expect(await judge(scratched, photo, 'places')).toMatchObject({ share: 1, failed: [] });
  });

  it('does not ask where and how much was filled when the owner said so', async () => {
    const smeared = await blur(photo, 5);
    const large = repaint(
      photo,
      (x, y) => x > 60 && x < 180 && y > 60 && y < 160,
      (at) => smeared.data[at] ?? 0,
    );
    expect((await judge(photo, large, 'places')).share).toBe(0);
    expect((await judge(photo, large, 'places', { demanded: 'WHERE' })).share).toBe(1);
    expect((await judge(photo, large, 'places', { demanded: 'THAT' })).share).toBe(1);
  });

  it('finds no harm in good work: grain taken out, contrast brought back', async () => {
    expect(await judge(grain(photo, 14), photo, 'grain')).toMatchObject({ share: 1, failed: [] });
    expect(await judge(grain(photo, 14, 2), photo, 'grain')).toMatchObject({ share: 1, failed: [] });
    expect(await judge(fade(photo), photo, 'tone')).toMatchObject({ share: 1, failed: [] });
  });

  // Large grain shifts means and greys, pixels lie beyond their old neighbours, and faint structure is the grain's own.
  it.each([12, 20, 25].flatMap((sigma) => [0, 0.4, 0.8].map((correlation) => [sigma, correlation] as const)))(
    'finds no harm where grain of σ %d in grains of %d px was taken out perfectly',
    async (sigma, correlation) => {
      for (const name of ['camera.png', 'chelsea.png', 'coffee.png', 'gravel.png', 'rocket.jpg']) {
        const clean = await decode(photoPath(name));
        const grainy = addGrain(clean, { sigma, correlation }, createRandom(1, name));
        const judged = await judge(rasterOf(grainy), rasterOf(clean), 'grain');
        expect([name, judged.share, judged.failed]).toEqual([name, 1, []]);
      }
    },
  );

  it('compares an enlargement at the size of the photo, and gives a plain one in place of a bad one', async () => {
    const [width, height] = [photo.width * 2, photo.height * 2];
    const enlarged = createRaster({ ...photo, width, height });
    const input = { source: photo, target: enlarged, factor: 2, sigma: 1.2, amount: 0.5 } as const;
    await pixels.run('upscale', input, { width, height, signal: never() });
    expect(await judge(photo, enlarged, 'size')).toMatchObject({ share: 1, failed: [] });
    const moved = await judge(photo, right(enlarged, 2), 'size');
    expect(namesOf(moved.failed)).toContain('shift');
    expect(moved).toMatchObject({ share: 0, raster: { width, height } });
    expect(psnr(moved.raster, enlarged)).toBeGreaterThan(33);
  });

  it('lets a model draw the picture anew: grain, blur and JPEG gone at once, also where it enlarges', async () => {
    const worn = await jpeg(grain(await blur(photo, 0.8), 8), 60);
    expect(await judge(worn, photo, 'redrawn')).toMatchObject({ share: 1, failed: [] });
    const [width, height] = [photo.width >> 1, photo.height >> 1];
    const area = { left: 0, top: 0, width: 2 * width, height: 2 * height };
    const whole = await viaSharp(photo, (image) => image.extract(area).png());
    const half = await viaSharp(whole, (image) => image.resize(width, height).png());
    expect(await judge(await jpeg(half, 60), whole, 'redrawn')).toMatchObject({ share: 1, failed: [] });
  });

  const wrongs: [measure: string, harm: (photo: Raster) => Raster | Promise<Raster>][] = [
    ['structure', (one) => mapSamples(one, () => 0.5)],
    ['structure', (one) => mapSamples(one, (level) => 1 - level)],
    ['contrast', (one) => mapSamples(one, (level) => 0.5 + (level - 0.5) * 0.7)],
    ['brightness', (one) => mapSamples(one, (level) => level * 0.9)],
    [
      'colour',
      (one) =>
        repaint(
          one,
          () => true,
          (at) => one.data[at + 2 - 2 * (at % 3)]!,
        ),
    ],
    ['detail', (one) => blur(one, 2)],
    ['invention', (one) => addNoise(one, 20)],
    ['shift', (one) => right(one, 1)],
  ];

  it.each(wrongs)('finds harm by “%s” where a model draws it wrong', async (name, harm) => {
    const { failed, share } = await judge(photo, await harm(photo), 'redrawn');
    expect(namesOf(failed)).toContain(name);
    expect(share).toBeLessThan(1);
  });

  /** Each grey as three samples, with so many levels more red and less blue. */
  function coloured(grey: Raster, by: number): Raster {
    const out = createRaster({ ...grey, channels: 3 });
    grey.data.forEach((level, i) => out.data.set([Math.min(255, level + by), level, Math.max(0, level - by)], 3 * i));
    return out;
  }

  it('compares colours with the grey photo that they were given to', async () => {
    const grey = await readPhoto(photoPath('camera.png'));
    expect(await judge(grey, coloured(grey, 20), 'colours')).toMatchObject({ share: 1, failed: [] });
    expect(await gate.isSame(grey, coloured(grey, 0), never())).toBe(true);
    expect(await gate.isSame(grey, coloured(grey, 20), never())).toBe(false);
    const black = await judge(
      grey,
      mapSamples(coloured(grey, 0), () => 0),
      'colours',
    );
    expect(black.share).toBe(0);
    expect(black.raster).toBe(grey);
  });

  it('lowers colours by mixing them with the grey photo', async () => {
    const grey = await readPhoto(photoPath('camera.png'));
    const hard = mapSamples(coloured(grey, 0), (level, channel) => level + (channel === 0 && level > 0.6 ? 0.4 : 0));
    const { raster, share, failed } = await judge(grey, hard, 'colours');
    expect(namesOf(failed)).toContain('clipping');
    expect(share).toBe(0.75);
    const wanted = createRaster(hard);
    wanted.data.forEach(
      (_level, i) => (wanted.data[i] = (grey.data[Math.floor(i / 3)]! + 3 * hard.data[i]!) / 4 + 0.5),
    );
    expect(raster.data).toEqual(wanted.data);
    // Transparency stays where it is.
    expect(channelsFrom({ channels: 2 }, { channels: 4 })).toEqual([0, 0, 0, 1]);
  });

  it('takes nothing of work that is known to be useless, however well it compares', async () => {
    const useless = 'it answered values that are no numbers';
    const judged = await judge(photo, photo, 'redrawn', { useless });
    expect(judged).toMatchObject({ share: 0, measures: [], failed: [{ held: false, explanation: `${useless}.` }] });
    expect(judged.raster).toBe(photo);
  });

  it('refuses a result of another shape', async () => {
    const cut = await viaSharp(photo, (image) => image.resize(photo.width - 1, photo.height).png());
    const judged = await judge(photo, cut, 'grain');
    expect(judged).toMatchObject({ share: 0, failed: [{ name: 'size' }] });
    expect(judged.raster).toBe(photo);
  });

  it('measures 16 bits and grey as it does 8 and colour', async () => {
    const deep = createRaster({ ...photo, depth: 16 });
    photo.data.forEach((sample, at) => (deep.data[at] = sample * 257));
    const harm = (raster: Raster): Raster => mapSamples(raster, (level) => level + 10 / 255);
    const [eight, sixteen] = [await judge(photo, harm(photo), 'grain'), await judge(deep, harm(deep), 'grain')];
    expect(namesOf(sixteen.failed)).toEqual(namesOf(eight.failed));
    const grey = await readPhoto(photoPath('camera.png'));
    expect(namesOf((await judge(grey, harm(grey), 'grain')).failed)).toContain('brightness');
  });

  it('says nothing of a picture that is too small to be judged, and fails none of it', async () => {
    const dot = createRaster({ width: 3, height: 2, channels: 3, depth: 8 });
    expect(
      (
        await judge(
          dot,
          mapSamples(dot, () => 1),
          'grain',
        )
      ).failed,
    ).toEqual([]);
  });
});

describe('what the gate does', () => {
  const bad = (name: string, run: Step['run'], stage: Step['stage'] = 'DENOISING'): Step => ({
    name,
    stage,
    plan: () => ({ run: true, strength: 1, weight: 10, reason: 'It was called for.' }),
    run,
  });
  const work = (steps: readonly Step[], input = photo) =>
    runPipeline(steps, input, {
      signal: never(),
      onProgress: () => undefined,
      pixels,
      nets: NO_NETS,
      measurements,
      options: { strength: 1, upscale: 1 },
    });

  it('lowers work that goes too far, and says so', async () => {
    const warm = bad('warm', async (raster) =>
      mapSamples(raster, (level, channel) => level + [7, 0, -7][channel]! / 255),
    );
    const { raster, report } = await work([warm]);
    expect(report.gate?.verdict).toBe('LOWERED');
    expect(report.steps[0]).toMatchObject({ ran: true, strength: 0.75 });
    expect(report.steps[0]?.reason).toMatch(/^It was called for\. Only 75 % of it is in the result: .+\.$/);
    expect((raster.data[0] ?? 0) - (photo.data[0] ?? 0)).toBeOneOf([5, 6]);
  });

  it('leaves a step out that did harm and keeps the others', async () => {
    const noisy = grain(photo, 16);
    const { raster, report } = await runPipeline([denoise, bad('moved', async (one) => right(one, 1))], noisy, {
      signal: never(),
      onProgress: () => undefined,
      pixels,
      nets: NO_NETS,
      measurements: await measure(noisy, { pixels, signal: never() }),
      options: { strength: 1, upscale: 1 },
    });
    expect(report.gate).toMatchObject({ verdict: 'DROPPED', reason: expect.stringContaining('“moved”') });
    expect(report.steps).toMatchObject([{ ran: true }, { ran: false, strength: 0 }]);
    expect(report.steps[1]?.reason).toContain('the picture was moved');
    expect(report.gate?.measures.some(({ step, held }) => step === 'moved' && !held)).toBe(true);
    expect(psnr(raster, photo)).toBeGreaterThan(psnr(noisy, photo) + 3);
  });

  it.each([
    ['what a net leaves that answered NaN', () => NaN],
    ['black', () => 0],
    ['one grey', () => 0.5],
  ])('gives the photo back, untouched, for %s', async (_what, level) => {
    const { raster, report } = await work([bad('broken', async (one) => mapSamples(one, level))]);
    expect(raster).toBe(photo);
    expect(report.gate).toMatchObject({ verdict: 'REFUSED', reason: expect.stringContaining('as it was') });
    expect(report.steps).toMatchObject([{ ran: false, strength: 0 }]);
  });

  it('gives the photo back where nothing can be seen of the work', async () => {
    const { raster, report } = await work([
      bad('gentle', async (one) =>
        repaint(
          one,
          (x, y) => x === 9 && y === 9,
          (at) => (one.data[at] ?? 0) ^ 1,
        ),
      ),
    ]);
    expect(raster).toBe(photo);
    expect(report.gate).toMatchObject({ verdict: 'UNTOUCHED', reason: expect.stringContaining('too small to see') });
  });

  it('keeps what was repaired when the rest does harm, and its mask', async () => {
    const scratched = repaint(photo, onScratch, () => 235);
    const mask = createRaster({ ...photo, channels: 1 });
    const repair = bad('repair', async () => ({ raster: photo, mask }), 'REPAIRING');
    const {
      raster,
      report,
      mask: kept,
    } = await work([repair, bad('grey', async (one) => mapSamples(one, () => 0.5))], scratched);
    expect(raster).toBe(photo);
    expect(kept).toBe(mask);
    expect(report.steps).toMatchObject([{ ran: true }, { ran: false }]);
    expect(report.gate?.verdict).toBe('DROPPED');
  });

  it('keeps a repair, and its mask, also where the rest does harm only as a whole', async () => {
    const scratched = repaint(photo, onScratch, () => 235);
    const mask = createRaster({ ...photo, channels: 1 });
    const repair = bad('repair', async () => ({ raster: photo, mask }), 'REPAIRING');
    const dull = bad('dull', async (one) => mapSamples(one, (level) => 0.5 + 0.93 * (level - 0.5)), 'COLOURING');
    const { raster, report, mask: kept } = await work([repair, dull, dull], scratched);
    expect(report.gate).toMatchObject({ verdict: 'REFUSED', reason: expect.stringContaining('lost its contrast') });
    expect(report.steps).toMatchObject([{ ran: true, strength: 1 }, { ran: false }, { ran: false }]);
    expect(raster).toBe(photo);
    expect(kept).toBe(mask);
  });

  it('keeps the repair of one speck of a large photo, alone and beside work that cannot be seen', async () => {
    const speck = (x: number, y: number): boolean => x >= 200 && x < 202 && y >= 150 && y < 152;
    const specked = repaint(photo, speck, (at) => Math.min(255, (photo.data[at] ?? 0) + 90));
    const mask = createRaster({ ...photo, channels: 1 });
    const repair = bad('repair', async () => ({ raster: photo, mask }), 'REPAIRING');
    const gentle = bad('gentle', async (one) =>
      repaint(
        one,
        (x, y) => x === 9 && y === 9,
        (at) => (one.data[at] ?? 0) ^ 1,
      ),
    );
    expect(await gate.isSame(specked, photo, never())).toBe(true);
    for (const steps of [[repair], [repair, gentle]]) {
      const { raster, report, mask: kept } = await work(steps, specked);
      expect(raster).toBe(photo);
      expect(kept).toBe(mask);
      expect(report.steps[0]).toMatchObject({ ran: true, strength: 1 });
      expect(report.steps.slice(1).filter(({ ran }) => ran)).toEqual([]);
      expect(report.gate?.verdict).toBe('PASSED');
      expect(report.gate?.measures.length).toBeGreaterThan(0);
    }
  });

  it('says that a bad enlargement was done plainly, as the picture is larger all the same', async () => {
    const double = bad(
      'upscale',
      async (one) => {
        const [width, height] = [one.width * 2, one.height * 2];
        const target = createRaster({ ...one, width, height });
        const input = { source: one, target, factor: 2, sigma: 1.2, amount: 0.5 } as const;
        await pixels.run('upscale', input, { width, height, signal: never() });
        return right(target, 2);
      },
      'UPSCALING',
    );
    const { raster, report } = await work([double]);
    expect(raster.width).toBe(2 * photo.width);
    expect(report.steps[0]).toMatchObject({
      ran: true,
      reason: expect.stringContaining('in the plainest way instead'),
    });
    expect(report.gate).toMatchObject({ verdict: 'LOWERED', reason: expect.stringContaining('“upscale”') });
  });

  it('drops the mask with the repair', async () => {
    const mask = createRaster({ ...photo, channels: 1 });
    const repair = bad('repair', async (one) => ({ raster: mapSamples(one, () => 0.5), mask }), 'REPAIRING');
    expect(await work([repair])).toMatchObject({ raster: photo, mask: undefined });
  });

  it('takes what a step says of itself: that it did nothing, and why', async () => {
    const idle = bad('idle', async (raster) => ({ raster, ran: false, reason: 'There was nothing to find.' }));
    const { report } = await work([idle]);
    expect(report.steps).toEqual([{ name: 'idle', ran: false, strength: 0, reason: 'There was nothing to find.' }]);
    expect(report.gate?.verdict).toBe('UNTOUCHED');
  });

  it('stops when the signal fires', async () => {
    const judging = gate.judge(
      { before: photo, after: blur1(photo), effect: 'grain', step: null },
      AbortSignal.abort(),
    );
    await expect(judging).rejects.toMatchObject({ name: 'AbortError' });
  });
});

const blur1 = (raster: Raster): Raster => mapSamples(raster, (level) => level * 0.9);
