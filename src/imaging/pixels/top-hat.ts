import type { Raster } from '../raster.ts';
import { readLuminance, type Plane } from './planes.ts';
import { growTile, type Tile } from './tile.ts';

export interface TopHatInput {
  readonly source: Raster;
  /** How likely each pixel is damaged, one channel of 8 bits. */
  readonly target: Raster;
  /** Half the side of the square, in pixels: what is narrower than the whole side stands out. */
  readonly radius: number;
  /** 8-bit levels by which damage stands out; becomes 128. */
  readonly level: number;
}

/**
 * What is brighter or darker than all that a square of 2 × radius + 1 fits into: the white and the black top-hat (Serra: Image
 * analysis and mathematical morphology, 1982) of luminance. Lines and specks stand out, but so does every fine detail of
 * a sharp picture.
 */
export function topHat({ source, target, radius, level }: TopHatInput, tile: Tile): void {
  const from = growTile(tile, 2 * radius, source.width, source.height);
  const width = from.x1 - from.x0;
  const height = from.y1 - from.y0;
  const plane = readLuminance(source, from);
  const opened = extreme(extreme(plane, width, height, radius, -1), width, height, radius, 1);
  const closed = extreme(extreme(plane, width, height, radius, 1), width, height, radius, -1);
  const unit = 128 / level;
  for (let y = tile.y0; y < tile.y1; y++) {
    let i = (y - from.y0) * width + tile.x0 - from.x0;
    for (let x = tile.x0; x < tile.x1; x++, i++) {
      const out = Math.max(plane[i]! - opened[i]!, closed[i]! - plane[i]!) * unit;
      target.data[y * source.width + x] = out > 255 ? 255 : out;
    }
  }
}

/** The lowest (sign −1) or highest value in a square, by rows and then by columns. */
function extreme(plane: Plane, width: number, height: number, radius: number, sign: 1 | -1): Plane {
  const across = new Float32Array(width * height);
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < width; x++) {
      let best = -Infinity;
      for (let k = Math.max(0, x - radius); k <= Math.min(width - 1, x + radius); k++) {
        const value = sign * plane[row + k]!;
        if (value > best) best = value;
      }
      across[row + x] = best;
    }
  }
  for (let y = 0; y < height; y++) {
    const top = Math.max(0, y - radius);
    const bottom = Math.min(height - 1, y + radius);
    for (let x = 0; x < width; x++) {
      let best = -Infinity;
      for (let k = top; k <= bottom; k++) {
        const value = across[k * width + x]!;
        if (value > best) best = value;
      }
      out[y * width + x] = sign * best;
    }
  }
  return out;
}
