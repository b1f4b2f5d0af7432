import type { Raster } from '../raster.ts';
import { FILLED } from './blend-masked.ts';
import { growTile, type Tile } from './tile.ts';

export interface GrowMaskInput {
  /** 255 where something is marked; what is less counts as nothing. */
  readonly source: Raster;
  readonly target: Raster;
  /** Pixels by which what is marked grows on every side. */
  readonly radius: number;
}

/** Level of the rim, where the filling and the photo are mixed. */
const RIM = 56;

/**
 * Grows what is marked, since the edge of a scratch is only half as bright as its middle, and gives it a soft rim of one pixel.
 * What was marked stays white and what was added is grey, so that the damage itself can still be told.
 */
export function growMask({ source, target, radius }: GrowMaskInput, tile: Tile): void {
  const { width, height } = source;
  const from = growTile(tile, radius + 1, width, height);
  const rows = from.y1 - from.y0;
  const columns = tile.x1 - tile.x0;
  // Distance along the row to what is marked, then by columns to a square: exact, and only two passes.
  const across = new Uint8Array(rows * columns).fill(radius + 2);
  for (let y = from.y0; y < from.y1; y++) {
    const row = y * width;
    for (let x = from.x0; x < from.x1; x++) {
      if (source.data[row + x] !== 255) continue;
      for (let nx = Math.max(tile.x0, x - radius - 1); nx < Math.min(tile.x1, x + radius + 2); nx++) {
        const at = (y - from.y0) * columns + nx - tile.x0;
        const distance = nx < x ? x - nx : nx - x;
        if (distance < across[at]!) across[at] = distance;
      }
    }
  }
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let x = 0; x < columns; x++) {
      let least = radius + 2;
      for (let ny = Math.max(from.y0, y - radius - 1); ny < Math.min(from.y1, y + radius + 2); ny++) {
        const aside = ny < y ? y - ny : ny - y;
        const distance = Math.max(aside, across[(ny - from.y0) * columns + x]!);
        if (distance < least) least = distance;
      }
      target.data[y * width + tile.x0 + x] =
        least === 0 ? 255 : least <= radius ? FILLED : least === radius + 1 ? RIM : 0;
    }
  }
}
