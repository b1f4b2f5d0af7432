import { channelsFrom, colourChannels, maxSample, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

/** Sum of squared differences of the colour samples in 8-bit levels, and their number; `a` may be grey where `b` has colours. */
export function differenceTile(
  { a, b }: { readonly a: Raster; readonly b: Raster },
  tile: Tile,
): { squares: number; count: number } {
  const colours = colourChannels(b);
  const of = channelsFrom(a, b);
  let squares = 0;
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let x = tile.x0; x < tile.x1; x++) {
      const pixel = y * a.width + x;
      for (let c = 0; c < colours; c++) {
        const d = a.data[pixel * a.channels + of[c]!]! - b.data[pixel * b.channels + c]!;
        squares += d * d;
      }
    }
  }
  const unit = 255 / maxSample(a);
  return { squares: squares * unit * unit, count: (tile.x1 - tile.x0) * (tile.y1 - tile.y0) * colours };
}
