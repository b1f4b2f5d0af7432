import { colourChannels, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export interface CurveInput {
  readonly source: Raster;
  readonly target: Raster;
  /** New sample for every old one; one table per colour channel. */
  readonly tables: readonly Uint16Array<SharedArrayBuffer>[];
}

/** Sends every colour sample through its channel's table; alpha is copied. */
export function curveTile({ source, target, tables }: CurveInput, tile: Tile): void {
  const { data, width, channels } = source;
  const colours = colourChannels(source);
  for (let c = 0; c < channels; c++) {
    const table = c < colours ? tables[c] : undefined;
    for (let y = tile.y0; y < tile.y1; y++) {
      const end = (y * width + tile.x1) * channels;
      for (let i = (y * width + tile.x0) * channels + c; i < end; i += channels) {
        target.data[i] = table === undefined ? data[i]! : table[data[i]!]!;
      }
    }
  }
}
