import { colourChannels, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export interface MixTurnedInput {
  /** Of the shape of `target`. */
  readonly source: Raster;
  readonly target: Raster;
  /** Whether left and right, and above and below, of the source change places. */
  readonly across: boolean;
  readonly down: boolean;
  /** Of the source in the mixture, 0–1. */
  readonly share: number;
}

/** Mixes the colours of a turned picture into another one, in place. */
export function mixTurned({ source, target, across, down, share }: MixTurnedInput, tile: Tile): void {
  const { width, height, channels } = target;
  const colours = colourChannels(target);
  for (let y = tile.y0; y < tile.y1; y++) {
    const row = (down ? height - 1 - y : y) * width;
    for (let x = tile.x0; x < tile.x1; x++) {
      const from = (row + (across ? width - 1 - x : x)) * channels;
      const to = (y * width + x) * channels;
      for (let c = 0; c < colours; c++) {
        const before = target.data[to + c]!;
        target.data[to + c] = before + share * (source.data[from + c]! - before) + 0.5;
      }
    }
  }
}
