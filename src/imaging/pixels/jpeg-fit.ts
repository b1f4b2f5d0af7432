import { JPEG_NO_TRACE, luminanceTable } from '../measure/jpeg-quality.ts';

/** Width of a bin of the histograms, 8-bit levels. */
export const JPEG_BIN = 0.25;
/** The mean of a block and the coefficients next to it, by their place in the block: those that survive compression. */
export const JPEG_COEFFICIENTS = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4] as const;

/** From 97 on most steps are too small to be seen. */
const TABLES = Array.from({ length: 87 }, (_, i) => ({ quality: i + 10, table: luminanceTable(i + 10) }));
/** σ of what rounding to whole levels leaves around each multiple of a step, 8-bit levels. */
const ROUNDING = 0.4;
/** How far a quality must explain the coefficients, 0–1, and by how many standard deviations above chance. */
const LEAST_FIT = 0.45;
const LEAST_SURE = 8;
/** A quality whose steps divide those of the true one fits as well: the coarsest of all that fit about as well as the best. */
const ABOUT = 0.85;

interface Fit {
  readonly quality: number;
  /** Standard deviations above chance. */
  readonly sure: number;
}

/** What a step finds of a coefficient, and what it would find if it were the right one. */
interface Found {
  readonly found: number;
  readonly expected: number;
}

/**
 * The JPEG quality that the coefficients of a picture's blocks show, 10–96, or 100 where they show none.
 *
 * A decoded JPEG has its DCT coefficients close to multiples of the quantisation steps (Fan, de Queiroz: Identification of bitmap
 * compression history, IEEE Trans. Image Processing 12, 2003). Each quality's steps are tried as a whole, by the mean of
 * cos(2πc/q) over coefficients c away from 0: about 1 for the right steps, not above 0 for a picture that was never compressed. Steps
 * of tables other than those of the JPEG standard's annex K are found only where they happen to be near them.
 *
 * @param histograms of the magnitudes of each of `JPEG_COEFFICIENTS`.
 */
export function fitQuality(histograms: readonly ArrayLike<number>[]): Fit {
  const known = new Map<number, Found>();
  const spans = histograms.map(spanOf);
  const search = (c: number, step: number): Found => {
    const key = c * 256 + step;
    const there = known.get(key) ?? (spans[c]! < step ? NOTHING : searchSteps(histograms[c] ?? [], step));
    known.set(key, there);
    return there;
  };
  // A picture may have been turned by a quarter since.
  const upright = bestFit(search, (k) => k);
  const turned = bestFit(search, (k) => (k % 8) * 8 + (k >> 3));
  return turned.sure > upright.sure ? turned : upright;
}

function bestFit(search: (c: number, step: number) => Found, place: (k: number) => number): Fit {
  const fits = TABLES.map(({ quality, table }) => {
    let found = 0;
    let expected = 0;
    JPEG_COEFFICIENTS.forEach((k, c) => {
      const part = search(c, table[place(k)] ?? 1);
      found += part.found;
      expected += part.expected;
    });
    if (expected === 0) return { quality, share: 0, sure: 0 };
    return { quality, share: Math.min(1, found / expected), sure: found / Math.sqrt(expected / 2) };
  });
  const good = fits.filter(({ share, sure }) => share > LEAST_FIT && sure > LEAST_SURE);
  const most = Math.max(0, ...good.map(({ share }) => share));
  return good.find(({ share }) => share >= ABOUT * most) ?? { quality: JPEG_NO_TRACE, sure: 0 };
}

const NOTHING: Found = { found: 0, expected: 0 };

/** Between the smallest and the largest magnitude, 8-bit levels: what is the same in all blocks, as on a plain ground, tells of no step. */
function spanOf(histogram: ArrayLike<number>): number {
  let [first, last] = [-1, -1];
  for (let bin = 1; bin < histogram.length; bin++) {
    if (histogram[bin] === 0) continue;
    if (first < 0) first = bin;
    last = bin;
  }
  return (last - first) * JPEG_BIN;
}

/** Weighed by how sharp the comb can be after rounding; steps below 2 leave none. */
function searchSteps(histogram: ArrayLike<number>, step: number): Found {
  if (step < 2) return NOTHING;
  const weight = Math.exp(-2 * (Math.PI * (ROUNDING / step)) ** 2);
  let found = 0;
  let expected = 0;
  for (let bin = Math.floor(step / 4 / JPEG_BIN) + 1; bin < histogram.length; bin++) {
    const count = histogram[bin]!;
    if (count === 0) continue;
    found += weight * count * Math.cos((2 * Math.PI * bin * JPEG_BIN) / step);
    expected += weight * weight * count;
  }
  return { found, expected };
}
