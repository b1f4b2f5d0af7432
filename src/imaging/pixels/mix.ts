import type { Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export interface MixInput {
  /** Of the shape of `target`, as is `b`. */
  readonly a: Raster;
  readonly b: Raster;
  readonly target: Raster;
  /** Of `b` in the mixture, 0–1. */
  readonly share: number;
}

/** a + share · (b − a), sample by sample. */
export function mixTile({ a, b, target, share }: MixInput, tile: Tile): void {
  const { width, channels } = target;
  for (let y = tile.y0; y < tile.y1; y++) {
    const end = (y * width + tile.x1) * channels;
    for (let i = (y * width + tile.x0) * channels; i < end; i++) {
      target.data[i] = a.data[i]! + share * (b.data[i]! - a.data[i]!) + 0.5;
    }
  }
}
