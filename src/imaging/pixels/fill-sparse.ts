import type { Raster } from '../raster.ts';
import { forwardDct, inverseDct, type Block } from './dct.ts';
import { UNKNOWN } from './fill-coarse.ts';
import { readPlanes, writePlanes, type Plane } from './planes.ts';
import { growTile, type Tile } from './tile.ts';

export interface FillSparseInput {
  readonly source: Raster;
  /** Its unknown pixels are written; the others are those of the source already. */
  readonly target: Raster;
  readonly mask: Raster;
  /** 8-bit levels under which a coefficient of a block is dropped. */
  readonly threshold: number;
  /** Pixels between the blocks, 1 to 8. */
  readonly step: number;
}

/** A block reaches so far beyond the pixel that it is asked for. */
const HALO = 7;

/**
 * One pass of filling by sparsity: unknown pixels become what the large coefficients of the overlapping 8×8 DCT blocks say (Guleryuz:
 * Nonlinear approximation based image recovery using adaptive sparse reconstructions and iterated denoising, IEEE
 * Trans. Image Processing 15, 2006). With a threshold that falls from pass to pass, edges and textures grow into the hole from both
 * sides. Blocks lie on a grid of the picture, not of the tile, so that tiles meet without a seam.
 */
export function fillSparse({ source, target, mask, threshold, step }: FillSparseInput, tile: Tile): void {
  const unknown = unknownPixels(mask, tile);
  if (unknown.length === 0 || source.width < 8 || source.height < 8) return;
  const from = growTile(tile, HALO, source.width, source.height);
  const width = from.x1 - from.x0;
  const blocks = blocksAround(unknown, source, from, step);
  const planes = readPlanes(source, from).map((plane) => shrinkBlocks(plane, width, blocks, threshold));
  for (const pixel of unknown) {
    const x = pixel % source.width;
    const y = (pixel - x) / source.width;
    writePlanes(planes, from, source, target, { x0: x, y0: y, x1: x + 1, y1: y + 1 });
  }
}

function unknownPixels({ data, width }: Raster, tile: Tile): number[] {
  const found: number[] = [];
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let at = y * width + tile.x0; at < y * width + tile.x1; at++) if (data[at]! >= UNKNOWN) found.push(at);
  }
  return found;
}

/** The upper left corners, within `from`, of all blocks that cover an unknown pixel. */
function blocksAround(unknown: readonly number[], { width, height }: Raster, from: Tile, step: number): number[] {
  const stride = from.x1 - from.x0;
  const marked = new Uint8Array(stride * (from.y1 - from.y0));
  const blocks: number[] = [];
  for (const pixel of unknown) {
    const x = pixel % width;
    const y = (pixel - x) / width;
    for (const top of starts(y, height, step)) {
      for (const left of starts(x, width, step)) {
        const at = (top - from.y0) * stride + left - from.x0;
        if (marked[at] !== 0) continue;
        marked[at] = 1;
        blocks.push(at);
      }
    }
  }
  // In reading order, whichever pixel has asked for it: sums of the same numbers in another order are not the same.
  return blocks.sort((a, b) => a - b);
}

/** Where the blocks that cover a place begin: on the grid, and at the very end of the picture. */
function starts(place: number, length: number, step: number): number[] {
  const found: number[] = [];
  for (let at = Math.ceil(Math.max(0, place - 7) / step) * step; at <= Math.min(place, length - 8); at += step) {
    found.push(at);
  }
  if (place >= length - 8 && (length - 8) % step !== 0) found.push(length - 8);
  return found;
}

/** The weighted mean of the blocks with their small coefficients dropped; a block counts the more, the fewer it needs. */
function shrinkBlocks(plane: Plane, width: number, blocks: readonly number[], threshold: number): Plane {
  const sum = new Float32Array(plane.length);
  const weights = new Float32Array(plane.length);
  const block: Block = new Float64Array(64);
  for (const corner of blocks) {
    for (let i = 0, at = corner; i < 64; i += 8, at += width) for (let k = 0; k < 8; k++) block[i + k] = plane[at + k]!;
    forwardDct(block);
    let kept = 1;
    for (let k = 1; k < 64; k++) {
      if (Math.abs(block[k]!) < threshold) block[k] = 0;
      else kept++;
    }
    inverseDct(block);
    const weight = 1 / kept;
    for (let i = 0, at = corner; i < 64; i += 8, at += width) {
      for (let k = 0; k < 8; k++) {
        sum[at + k]! += weight * block[i + k]!;
        weights[at + k]! += weight;
      }
    }
  }
  for (let i = 0; i < sum.length; i++) sum[i] = weights[i]! > 0 ? sum[i]! / weights[i]! : plane[i]!;
  return sum;
}
