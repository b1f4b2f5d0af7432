import type { Raster } from '../raster.ts';
import { colourChannels } from '../raster.ts';
import type { Tile } from './tile.ts';

/** Levels of a mask from which a pixel is not to be trusted. */
export const UNKNOWN = 16;

export interface ShrinkKnownInput {
  readonly source: Raster;
  /** One channel; what is at least `UNKNOWN` is unknown. */
  readonly mask: Raster;
  /** Half as wide and high, rounded up. */
  readonly target: Raster;
  /** 255 where a pixel of `target` has nothing that is known. */
  readonly targetMask: Raster;
}

/** Halves a picture by what is known of it. Returns how many pixels of the result are not known at all. */
export function shrinkKnown({ source, mask, target, targetMask }: ShrinkKnownInput, tile: Tile): number {
  const { channels, width, height } = source;
  const colours = colourChannels(source);
  let unknown = 0;
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let x = tile.x0; x < tile.x1; x++) {
      const to = y * target.width + x;
      let count = 0;
      let r = 0;
      let g = 0;
      let b = 0;
      for (let sy = 2 * y; sy < Math.min(height, 2 * y + 2); sy++) {
        for (let sx = 2 * x; sx < Math.min(width, 2 * x + 2); sx++) {
          const at = sy * width + sx;
          if (mask.data[at]! >= UNKNOWN) continue;
          count++;
          r += source.data[at * channels]!;
          if (colours === 1) continue;
          g += source.data[at * channels + 1]!;
          b += source.data[at * channels + 2]!;
        }
      }
      targetMask.data[to] = count === 0 ? 255 : 0;
      if (count === 0) {
        unknown++;
        continue;
      }
      target.data[to * colours] = r / count + 0.5;
      if (colours === 1) continue;
      target.data[to * colours + 1] = g / count + 0.5;
      target.data[to * colours + 2] = b / count + 0.5;
    }
  }
  return unknown;
}

export interface FillFromCoarseInput {
  /** Its unknown pixels are written. */
  readonly target: Raster;
  readonly mask: Raster;
  /** Half as wide and high, and whole. */
  readonly coarse: Raster;
}

/** Unknown pixels from a smaller picture, bilinearly. */
export function fillFromCoarse({ target, mask, coarse }: FillFromCoarseInput, tile: Tile): void {
  const colours = colourChannels(target);
  const { data, width, height } = coarse;
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let x = tile.x0; x < tile.x1; x++) {
      const at = y * target.width + x;
      if (mask.data[at]! < UNKNOWN) continue;
      const u = Math.min(width - 1, Math.max(0, x / 2 - 0.25));
      const v = Math.min(height - 1, Math.max(0, y / 2 - 0.25));
      const u0 = u | 0;
      const v0 = v | 0;
      const corner = (v0 * width + u0) * coarse.channels;
      const right = u0 + 1 < width ? coarse.channels : 0;
      const below = v0 + 1 < height ? width * coarse.channels : 0;
      for (let c = 0; c < colours; c++) {
        const i = corner + c;
        const top = data[i]! + (u - u0) * (data[i + right]! - data[i]!);
        const bottom = data[i + below]! + (u - u0) * (data[i + below + right]! - data[i + below]!);
        target.data[at * target.channels + c] = top + (v - v0) * (bottom - top) + 0.5;
      }
    }
  }
}
