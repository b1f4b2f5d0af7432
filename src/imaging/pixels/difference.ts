import { colourChannels, maxSample, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

/** Sum of squared differences of the colour samples in 8-bit levels, and their number. */
export function differenceTile(
  { a, b }: { readonly a: Raster; readonly b: Raster },
  tile: Tile,
): { squares: number; count: number } {
  const colours = colourChannels(a);
  let squares = 0;
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let x = tile.x0; x < tile.x1; x++) {
      const at = (y * a.width + x) * a.channels;
      for (let c = 0; c < colours; c++) {
        const d = a.data[at + c]! - b.data[at + c]!;
        squares += d * d;
      }
    }
  }
  const unit = 255 / maxSample(a);
  return { squares: squares * unit * unit, count: (tile.x1 - tile.x0) * (tile.y1 - tile.y0) * colours };
}
