import type { Raster } from '../raster.ts';
import { gaussianBlur } from './filters.ts';
import { readPlanes, writePlanes } from './planes.ts';
import { growTile, type Tile } from './tile.ts';

export interface SharpenInput {
  readonly source: Raster;
  readonly target: Raster;
  /** σ of the unsharp mask, pixels. */
  readonly sigma: number;
  /** How much of the mask is added; 1 doubles the detail. */
  readonly amount: number;
  /** 8-bit levels by which a pixel may leave the range of its 3×3 neighbours: what keeps halos away. */
  readonly margin: number;
}

/** Unsharp mask on luminance with a halo clamp. */
export function sharpenTile({ source, target, sigma, amount, margin }: SharpenInput, tile: Tile): void {
  const from = growTile(tile, Math.ceil(sigma * 3) + 1, source.width, source.height);
  const width = from.x1 - from.x0;
  const height = from.y1 - from.y0;
  const planes = readPlanes(source, from);
  const luminance = planes[0]!;
  const soft = gaussianBlur(luminance, width, height, sigma);
  const out = luminance.slice();
  for (let y = tile.y0 - from.y0; y < tile.y1 - from.y0; y++) {
    const above = Math.max(0, y - 1) * width;
    const row = y * width;
    const below = Math.min(height - 1, y + 1) * width;
    for (let x = tile.x0 - from.x0; x < tile.x1 - from.x0; x++) {
      const left = x > 0 ? x - 1 : x;
      const right = x < width - 1 ? x + 1 : x;
      let low = Infinity;
      let high = -Infinity;
      for (const line of [above, row, below]) {
        const a = luminance[line + left]!;
        const b = luminance[line + x]!;
        const c = luminance[line + right]!;
        const least = a < b ? (a < c ? a : c) : b < c ? b : c;
        const most = a > b ? (a > c ? a : c) : b > c ? b : c;
        if (least < low) low = least;
        if (most > high) high = most;
      }
      const value = luminance[row + x]! + amount * (luminance[row + x]! - soft[row + x]!);
      out[row + x] = value < low - margin ? low - margin : value > high + margin ? high + margin : value;
    }
  }
  planes[0] = out;
  writePlanes(planes, from, source, target, tile);
}
