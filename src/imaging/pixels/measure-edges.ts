import type { Raster } from '../raster.ts';
import { gaussianBlur } from './filters.ts';
import { standsForOthers } from './lattice.ts';
import { readLuminance, type Plane } from './planes.ts';
import type { Tile } from './tile.ts';

export interface EdgeSample {
  /** How many strong edges have which blur σ, in bins of `SIGMA_BIN` pixels; the last bin holds all that are softer. */
  readonly sigmas: number[];
  /** Mean absolute step across the lines of the 8×8 grid, and across all other lines, with their numbers. */
  readonly grid: { on: number; onCount: number; off: number; offCount: number };
}

/** Edges are looked at in patches of this side, at full resolution. */
export const PATCH = 192;
const REBLUR = 1;
export const SIGMA_BIN = 0.02;
const SIGMA_BINS = 200;

/**
 * Blur at edges and steps on the JPEG grid, on one patch. Blur by re-blurring: the gradient at an edge of blur σ falls by
 * R = √(σ² + σ₀²) / σ when the picture is blurred once more by σ₀, hence σ = σ₀ / √(R² − 1)
 * (Zhuo, Sim: Defocus map estimation from a single image, Pattern Recognition 44, 2011).
 * Grid energy after Wang, Sheikh, Bovik: No-reference perceptual quality assessment of JPEG compressed images, 2002.
 */
export function measureEdges({ source }: { readonly source: Raster }, tile: Tile): EdgeSample | undefined {
  if (!standsForOthers(source, tile, PATCH)) return undefined;
  const width = tile.x1 - tile.x0;
  const height = tile.y1 - tile.y0;
  const sharp = readLuminance(source, tile);
  const soft = gaussianBlur(sharp, width, height, REBLUR);
  const sigmas = Array.from({ length: SIGMA_BINS }, () => 0);
  for (let y = 4; y < height - 4; y++) {
    for (let x = 4; x < width - 4; x++) {
      const at = y * width + x;
      const g = gradient(sharp, at, width);
      if (g < 12 || !isRidge(sharp, at, width, g)) continue;
      const ratio = g / Math.max(1e-3, gradient(soft, at, width));
      if (ratio <= 1.02) continue;
      const sigma = REBLUR / Math.sqrt(ratio * ratio - 1);
      sigmas[Math.min(SIGMA_BINS - 1, Math.floor(sigma / SIGMA_BIN))]!++;
    }
  }
  return { sigmas, grid: gridSteps(sharp, width, height, tile) };
}

function gradient(plane: Plane, at: number, stride: number): number {
  const dx = plane[at + 1]! - plane[at - 1]!;
  const dy = plane[at + stride]! - plane[at - stride]!;
  // Math.hypot guards against overflow, which levels cannot reach, and takes several times as long.
  return Math.sqrt(dx * dx + dy * dy) / 2;
}

/** Only the crest of an edge tells its width. */
function isRidge(plane: Plane, at: number, stride: number, g: number): boolean {
  const dx = Math.abs(plane[at + 1]! - plane[at - 1]!);
  const dy = Math.abs(plane[at + stride]! - plane[at - stride]!);
  const along = dx >= dy ? 1 : stride;
  return g >= gradient(plane, at - along, stride) && g > gradient(plane, at + along, stride);
}

function gridSteps(plane: Plane, width: number, height: number, tile: Tile): EdgeSample['grid'] {
  const grid = { on: 0, onCount: 0, off: 0, offCount: 0 };
  for (let y = 0; y < height; y++) {
    for (let x = 2; x < width - 2; x++) {
      const at = y * width + x;
      // The step beyond what its neighbours lead one to expect, so that gradients do not count.
      const step = Math.abs(
        plane[at]! - plane[at - 1]! - (plane[at + 1]! - plane[at]! + plane[at - 1]! - plane[at - 2]!) / 2,
      );
      // A strong edge is content.
      if (step > 24) continue;
      if ((tile.x0 + x) % 8 === 0) {
        grid.on += step;
        grid.onCount++;
      } else {
        grid.off += step;
        grid.offCount++;
      }
    }
  }
  return grid;
}
