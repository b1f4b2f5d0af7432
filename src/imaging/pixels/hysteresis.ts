import type { Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export interface HysteresisInput {
  /** How likely each pixel is damaged, one channel of 8 bits. */
  readonly likely: Raster;
  /** Becomes 255 where it counts as damaged, one channel of 8 bits, all zero before. */
  readonly target: Raster;
  /** A patch of pixels that are all at least `low` counts when one of them is at least `high`. */
  readonly low: number;
  readonly high: number;
  /** Patches of fewer pixels are left out, and those of more than `most`. */
  readonly least: number;
  readonly most: number;
}

/**
 * Thresholding with hysteresis (after Canny: A computational approach to edge detection, 1986), in one piece: a scratch may
 * run through the whole picture. Only the marked pixels cost more than a look. Returns how many there are.
 */
export function hysteresis({ likely, target, low, high, least, most }: HysteresisInput, tile: Tile): number {
  const { width, height } = likely;
  const p = likely.data;
  const out = target.data;
  let patch = new Int32Array(1024);
  let marked = 0;
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let start = y * width + tile.x0; start < y * width + tile.x1; start++) {
      if (p[start]! < high || out[start] !== 0) continue;
      // The patch so far, which is also the list of pixels whose neighbours are to be looked at.
      let count = 0;
      patch[count++] = start;
      out[start] = 255;
      for (let at = 0; at < count; at++) {
        const pixel = patch[at]!;
        const px = pixel % width;
        const py = (pixel - px) / width;
        for (let ny = Math.max(0, py - 1); ny <= Math.min(height - 1, py + 1); ny++) {
          for (let nx = Math.max(0, px - 1); nx <= Math.min(width - 1, px + 1); nx++) {
            const next = ny * width + nx;
            if (p[next]! < low || out[next] !== 0) continue;
            out[next] = 255;
            if (count === patch.length) patch = grown(patch);
            patch[count++] = next;
          }
        }
      }
      if (count < least || count > most) for (let at = 0; at < count; at++) out[patch[at]!] = 1;
      else marked += count;
    }
  }
  return marked;
}

function grown(list: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(list.length * 2);
  longer.set(list);
  return longer;
}
