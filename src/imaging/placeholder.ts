import { rgbaToThumbHash } from 'thumbhash';

/** Longest side of the pixels that `placeholderOf` takes; a limit of thumbhash. */
export const PLACEHOLDER_SIDE = 100;

export interface Placeholder {
  /** The most frequent colour, `#rrggbb`. */
  readonly dominantColor: string;
  /** A blurred preview in about 25 bytes, base64 (https://evanw.github.io/thumbhash/). */
  readonly thumbhash: string;
}

/** Bits kept of each colour while counting: 4096 bins, as sharp's own `stats().dominant` has. */
const BIN_BITS = 4;

/** The mean of the fullest bin, so that the colour is one of the picture's own. */
function dominantColor(rgba: Uint8Array): string {
  const shift = 8 - BIN_BITS;
  const counts = new Uint32Array(2 ** (3 * BIN_BITS));
  const binOf = (i: number) =>
    (((rgba[i] ?? 0) >> shift) << (2 * BIN_BITS)) |
    (((rgba[i + 1] ?? 0) >> shift) << BIN_BITS) |
    ((rgba[i + 2] ?? 0) >> shift);
  for (let i = 0; i < rgba.length; i += 4) {
    if ((rgba[i + 3] ?? 0) >= 128) counts[binOf(i)] = (counts[binOf(i)] ?? 0) + 1;
  }
  const fullest = counts.indexOf(counts.reduce((most, count) => Math.max(most, count), 0));
  const sums = [0, 0, 0];
  let members = 0;
  for (let i = 0; i < rgba.length; i += 4) {
    if (binOf(i) !== fullest || (rgba[i + 3] ?? 0) < 128) continue;
    members += 1;
    for (let c = 0; c < 3; c++) sums[c] = (sums[c] ?? 0) + (rgba[i + c] ?? 0);
  }
  const hex = sums.map((sum) =>
    Math.round(sum / Math.max(1, members))
      .toString(16)
      .padStart(2, '0'),
  );
  return `#${hex.join('')}`;
}

/**
 * What to show while a picture loads.
 *
 * @param rgba 8-bit sRGB with alpha, both sides at most `PLACEHOLDER_SIDE`.
 */
export function placeholderOf(rgba: Uint8Array, width: number, height: number): Placeholder {
  return {
    dominantColor: dominantColor(rgba),
    thumbhash: Buffer.from(rgbaToThumbHash(width, height, rgba)).toString('base64'),
  };
}
