import type { Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export interface MergeDamageInput {
  /** Looks at the same picture at several sizes; of each group the mean counts, of the groups the highest. One channel of 8 bits. */
  readonly groups: readonly (readonly Raster[])[];
  /** One channel of 8 bits. */
  readonly target: Raster;
}

/** Brings what was found at several sizes together at full size; smaller ones are enlarged bilinearly. */
export function mergeDamage({ groups, target }: MergeDamageInput, tile: Tile): void {
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let x = tile.x0; x < tile.x1; x++) {
      let highest = 0;
      for (const group of groups) {
        let sum = 0;
        for (const look of group) sum += sample(look, x, y, target);
        const mean = sum / group.length;
        if (mean > highest) highest = mean;
      }
      target.data[y * target.width + x] = highest + 0.5;
    }
  }
}

function sample({ data, width, height }: Raster, x: number, y: number, full: Raster): number {
  if (width === full.width) return data[y * width + x]!;
  const u = Math.min(width - 1, Math.max(0, ((x + 0.5) * width) / full.width - 0.5));
  const v = Math.min(height - 1, Math.max(0, ((y + 0.5) * height) / full.height - 0.5));
  const u0 = u | 0;
  const v0 = v | 0;
  const right = u0 + 1 < width ? 1 : 0;
  const below = v0 + 1 < height ? width : 0;
  const at = v0 * width + u0;
  const top = data[at]! + (u - u0) * (data[at + right]! - data[at]!);
  const bottom = data[at + below]! + (u - u0) * (data[at + below + right]! - data[at + below]!);
  return top + (v - v0) * (bottom - top);
}
