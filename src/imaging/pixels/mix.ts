import { channelsFrom, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export interface MixInput {
  /** Of the shape of `target`, or grey where that has colours. */
  readonly a: Raster;
  /** Of the shape of `target`. */
  readonly b: Raster;
  readonly target: Raster;
  /** Of `b` in the mixture, 0–1. */
  readonly share: number;
}

/** a + share · (b − a), sample by sample. */
export function mixTile({ a, b, target, share }: MixInput, tile: Tile): void {
  const { width, channels } = target;
  const of = channelsFrom(a, target);
  for (let y = tile.y0; y < tile.y1; y++) {
    let i = (y * width + tile.x0) * channels;
    let at = (y * width + tile.x0) * a.channels;
    for (let x = tile.x0; x < tile.x1; x++, at += a.channels) {
      for (let c = 0; c < channels; c++, i++) {
        const from = a.data[at + of[c]!]!;
        target.data[i] = from + share * (b.data[i]! - from) + 0.5;
      }
    }
  }
}
