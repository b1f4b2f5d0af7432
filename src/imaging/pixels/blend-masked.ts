import { colourChannels, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

/** Level of a mask from which a pixel is filled wholly. */
export const FILLED = 127;

export interface BlendMaskedInput {
  readonly source: Raster;
  /** Becomes the mixture. */
  readonly target: Raster;
  readonly mask: Raster;
  /** Share of the target where the mask is at least `FILLED`, 0–1. */
  readonly share: number;
}

/** Mixes a filled picture with the one it was made from, by the mask: its dark rim hides where the filling begins. */
export function blendMasked({ source, target, mask, share }: BlendMaskedInput, tile: Tile): void {
  const { width, channels } = source;
  const colours = colourChannels(source);
  const unit = share / FILLED;
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let at = y * width + tile.x0; at < y * width + tile.x1; at++) {
      const part = Math.min(FILLED, mask.data[at]!) * unit;
      if (part === 1) continue;
      for (let i = at * channels; i < at * channels + colours; i++) {
        const before = source.data[i]!;
        target.data[i] = before + part * (target.data[i]! - before) + 0.5;
      }
    }
  }
}
