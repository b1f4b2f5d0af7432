import type { Quality } from '../nets.ts';
import type { PixelPool } from '../pixels/pool.ts';
import { SQUARE } from '../pixels/harm.ts';
import { colourChannels, createRaster, hasAlpha, type Raster } from '../raster.ts';
import type { GateMeasure } from '../report.ts';
import { comparisonOf, MEASURES, type Comparison, type Demand, type Effect, type Measure } from './measures.ts';
import { addHarm } from './sums.ts';

export type { Demand, Effect } from './measures.ts';

/** A picture that was worked on. */
export interface Work {
  readonly before: Raster;
  /** As large as `before`, or a whole number of times as large; where `before` is grey, it may have colours. */
  readonly after: Raster;
  /** Why nothing of it can be used: known without a comparison, and not to be mixed with anything. */
  readonly useless?: string | undefined;
  readonly effect: Effect;
  /** The owner of the photo asked for it: how much is covered is not asked. */
  readonly demanded?: Demand | undefined;
  /** For the report; null = all steps together. */
  readonly step: string | null;
}

/** What is left of the work. */
export interface Judged {
  /** `before` itself where nothing is left and the size is the same. */
  readonly raster: Raster;
  /** Of the work in it: 1, less, or 0. */
  readonly share: number;
  /** Of what is left, or, where nothing is, of the work as it was. */
  readonly measures: readonly GateMeasure[];
  /** What did not hold for the whole work. */
  readonly failed: readonly GateMeasure[];
}

export interface HarmGate {
  /** Whether two pictures of one size cannot be told from each other; `b` may be one without colour in colour channels. */
  isSame(a: Raster, b: Raster, signal: AbortSignal): Promise<boolean>;
  /** Compares work with what it was made from, and lowers it or leaves it out where it does harm. Throws the signal's reason. */
  judge(work: Work, signal: AbortSignal): Promise<Judged>;
}

/** What is tried of work that does harm before it is left out. */
const SHARES: Readonly<Record<Quality, readonly number[]>> = {
  FAST: [0.75, 0.5],
  BALANCED: [0.75, 0.5],
  BEST: [0.8, 0.65, 0.5, 0.35, 0.2],
};
/** Work whose harm may be in one place alone. */
const LOCAL: ReadonlySet<Effect> = new Set(['places', 'redrawn', 'faces', 'colours']);
/** PSNR in dB from which a result is the photo again, for every purpose. */
const SAME = 50;

/** The judge over everything that is done to a photo. It measures in the threads of `pixels`. */
export function createHarmGate({ pixels, quality }: { pixels: PixelPool; quality: Quality }): HarmGate {
  async function measured(work: Work, after: Raster, signal: AbortSignal): Promise<GateMeasure[]> {
    const { before } = work;
    const { width, height } = before;
    if (!isMultiple(before, after)) return [misfit(work)];
    const everywhere = LOCAL.has(work.effect);
    const parts = await pixels.run(
      'harm',
      { before, after, everywhere },
      { width, height, tileWidth: SQUARE, tileHeight: SQUARE, signal },
    );
    return measuresOf(work, comparisonOf(addHarm(parts.filter((part) => part !== undefined))));
  }

  /** The picture without the work: itself, or enlarged plainly. */
  async function plain({ before, after }: Work, signal: AbortSignal): Promise<Raster> {
    const factor = Math.round(after.width / before.width);
    if (factor !== 2 && factor !== 4) return before;
    const target = createRaster({ ...before, width: before.width * factor, height: before.height * factor });
    const area = { width: target.width, height: target.height, signal };
    await pixels.run('upscale', { source: before, target, factor, sigma: 1, amount: 0 }, area);
    return target;
  }

  async function mix(a: Raster, b: Raster, share: number, signal: AbortSignal): Promise<Raster> {
    const target = createRaster(b);
    const { width, height } = a;
    await pixels.run('mix', { a, b, target, share }, { width, height, tileWidth: 1024, signal });
    return target;
  }

  return {
    async isSame(a, b, signal) {
      if (a === b) return true;
      if (!isComparable(a, b)) return false;
      const { width, height } = a;
      const parts = await pixels.run('difference', { a, b }, { width, height, tileWidth: 1024, signal });
      const squares = parts.reduce((sum, part) => sum + part.squares, 0);
      const count = parts.reduce((sum, part) => sum + part.count, 0);
      return 10 * Math.log10((255 * 255 * count) / Math.max(squares, 1e-9)) >= SAME;
    },

    async judge(work, signal) {
      const { before, after } = work;
      if (work.useless !== undefined) {
        return { raster: await plain(work, signal), share: 0, measures: [], failed: [nothing(work, work.useless)] };
      }
      if (after === before) return { raster: before, share: 0, measures: [], failed: [] };
      const measures = await measured(work, after, signal);
      const failed = measures.filter(({ held }) => !held);
      if (failed.length === 0) return { raster: after, share: 1, measures, failed };
      const base = await plain(work, signal);
      if (isComparable(base, after) && failed.every(({ name }) => isCurable(name))) {
        for (const share of SHARES[quality]) {
          const less = await mix(base, after, share, signal);
          const again = await measured(work, less, signal);
          if (again.every(({ held }) => held)) return { raster: less, share, measures: again, failed };
        }
      }
      return { raster: base, share: 0, measures: [], failed };
    },
  };
}

const isExcused = ({ unless }: Measure, demanded: Demand | undefined): boolean =>
  demanded !== undefined && unless?.includes(demanded) === true;

function measuresOf({ effect, step, demanded }: Work, comparison: Comparison): GateMeasure[] {
  return MEASURES.flatMap((measure) => {
    const limit = measure.limits[effect];
    const value = limit === undefined ? undefined : measure.value(comparison);
    if (limit === undefined || value === undefined || isExcused(measure, demanded)) return [];
    const held = value <= limit;
    const { name, unit } = measure;
    const figures = `${figure(value)} ${unit} ${measure.says}`;
    const explanation = held ? `${figures}.` : `${measure.harm} (${figures}; ${figure(limit)} ${unit} are allowed).`;
    return [{ name, step, value, limit, unit, held, explanation }];
  });
}

const figure = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2));

/** A picture of another shape is another picture. */
function misfit({ before, after, step }: Work): GateMeasure {
  const explanation = `it came back with ${after.width} × ${after.height} pixels from ${before.width} × ${before.height}.`;
  return { name: 'size', step, value: after.width / before.width, limit: 1, unit: 'times', held: false, explanation };
}

/** What is no picture at all: no part of it holds. */
function nothing({ step }: Work, useless: string): GateMeasure {
  return { name: 'answer', step, value: 100, limit: 0, unit: '%', held: false, explanation: `${useless}.` };
}

function isCurable(name: string): boolean {
  return MEASURES.find((measure) => measure.name === name)?.curable ?? false;
}

/** Whether they differ in nothing but their samples, and in that `b` has colour channels where `a` is grey. */
function isComparable(a: Raster, b: Raster): boolean {
  if (a.width !== b.width || a.height !== b.height || a.depth !== b.depth) return false;
  return hasAlpha(a) === hasAlpha(b) && colourChannels(a) <= colourChannels(b);
}

function isMultiple(before: Raster, after: Raster): boolean {
  const factor = after.width / before.width;
  return Number.isInteger(factor) && factor >= 1 && after.height === before.height * factor;
}
