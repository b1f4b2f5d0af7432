import { BINS, type HistogramSums } from '../pixels/histogram.ts';
import type { ChannelRange, ToneMeasurement } from './measurements.ts';

/** Share of the cells that may lie beyond the black or the white point: dust, glare. */
const TAIL = 0.003;

/** Sums of all tiles together. */
export function addHistograms(parts: readonly HistogramSums[]): HistogramSums {
  return parts.reduce((a, b) => ({
    counts: a.counts.map((counts, c) => add(counts, b.counts[c] ?? [])),
    cells: a.cells + b.cells,
    powers: add(a.powers, b.powers),
    chroma: {
      u: add(a.chroma.u, b.chroma.u),
      v: add(a.chroma.v, b.chroma.v),
      uu: a.chroma.uu + b.chroma.uu,
      vv: a.chroma.vv + b.chroma.vv,
    },
  }));
}

function add(a: number[], b: number[]): number[] {
  return a.map((x, i) => x + (b[i] ?? 0));
}

/**
 * Black and white points and what they say. Fading lifts the blacks and dulls the whites at once; a night scene or a
 * bright one has only one of the two, so both are asked for. A cast counts only on a faded picture: a warm
 * light in the scene is no damage.
 */
export function toneFrom(histogram: HistogramSums, monochrome: boolean): ToneMeasurement {
  const [luminance, ...colours] = histogram.counts.map((counts) => range(counts, histogram.cells));
  const whole = luminance ?? { black: 0, white: 1, mean: 0.5 };
  const channels = colours.length === 3 ? colours : [whole];
  const brightest = Math.max(...channels.map((channel) => channel.white));
  // Fading takes a part of the range; where next to none is left, or was ever there, nothing says where black and white were.
  const span = ramp(whole.white - whole.black, 0.2, 0.3);
  const fade = span * Math.sqrt(ramp(whole.black, 0.08, 0.13) * ramp(1 - brightest, 0.07, 0.12));
  const whites = channels.map((channel) => channel.white);
  const cast = monochrome ? 0 : fade * ramp(brightest - Math.min(...whites), 0.04, 0.1);
  return { luminance: whole, channels, fade, cast };
}

/**
 * Is all colour a function of luminance, as in a toned print? What a quadratic of luminance cannot explain of the two chroma planes
 * (least squares) is less than about two 8-bit levels then.
 */
export function isMonochrome({ powers, chroma, cells, counts }: HistogramSums): boolean {
  if (counts.length === 1) return true;
  if (cells === 0) return false;
  const residual = (sums: number[], squares: number): number => Math.max(0, squares - explained(powers, sums)) / cells;
  return Math.sqrt(residual(chroma.u, chroma.uu) + residual(chroma.v, chroma.vv)) < 2.2 / 255;
}

function range(counts: readonly number[], cells: number): ChannelRange {
  const limit = cells * TAIL;
  const quantile = (from: number, by: 1 | -1): number => {
    let sum = 0;
    for (let bin = from; bin >= 0 && bin < BINS; bin += by) {
      sum += counts[bin] ?? 0;
      if (sum > limit) return (bin + 0.5) / BINS;
    }
    return by === 1 ? 0 : 1;
  };
  const total = counts.reduce((sum, count, bin) => sum + count * (bin + 0.5), 0);
  return { black: quantile(0, 1), white: quantile(BINS - 1, -1), mean: cells === 0 ? 0.5 : total / BINS / cells };
}

/** Sum of squares that the best a + bL + cL² explains: βᵀ·s with the normal equations A·β = s. */
function explained(powers: readonly number[], sums: readonly number[]): number {
  const p = (i: number): number => powers[i] ?? 0;
  const rows = [0, 1, 2].map((i) => [p(i), p(i + 1), p(i + 2), sums[i] ?? 0]);
  for (let i = 0; i < 3; i++) {
    const pivot = rows[i] ?? [];
    const head = pivot[i] ?? 0;
    // A picture of one or two luminances: the lower order says it all.
    if (Math.abs(head) < 1e-9 * p(0)) return sums.slice(0, i).reduce((sum, s, j) => sum + s * solved(rows, i, j), 0);
    for (let r = 0; r < 3; r++) {
      const row = rows[r] ?? [];
      const factor = (row[i] ?? 0) / head;
      if (r !== i) for (let c = i; c < 4; c++) row[c] = (row[c] ?? 0) - factor * (pivot[c] ?? 0);
    }
  }
  return sums.reduce((sum, s, j) => sum + s * solved(rows, 3, j), 0);
}

function solved(rows: readonly number[][], order: number, j: number): number {
  return j < order ? (rows[j]?.[3] ?? 0) / (rows[j]?.[j] ?? 1) : 0;
}

/** 0 up to `from`, 1 from `to` on, straight in between. */
export function ramp(value: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}
