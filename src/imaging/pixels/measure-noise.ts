import { colourChannels, type Raster } from '../raster.ts';
import { forwardDct, type Block } from './dct.ts';
import { readPlanes, type Plane } from './planes.ts';
import { nthSmallest } from './nth-smallest.ts';
import type { Tile } from './tile.ts';

export interface NoiseInput {
  readonly source: Raster;
  /** 2 = on a copy of half the size (each four pixels averaged), where grain that is larger than a pixel shows. Default 1. */
  readonly reduce?: 1 | 2;
}

export interface NoiseSample {
  /** σ per DCT coefficient, 8-bit levels. */
  readonly luma: number[];
  readonly chroma: number[];
  /** The same for luminance on blocks with more content: equal for noise, larger for texture. */
  readonly busier: number[];
}

/** Blocks looked at, at most about so many. */
const BLOCKS = 12_000;
/** Share of the blocks, from the calmest, whose content is taken for noise alone; and up to where the comparison goes. */
const CALM = 0.25;
const BUSIER = 0.5;

/**
 * Noise per DCT coefficient, from the blocks with the least low-frequency content (after Ponomarenko, Lukin et al.: An
 * automatic approach to lossy compression of AVIRIS images, 2007, and Colom, Buades: Analysis and extension of the Ponomarenko
 * method, IPOL 2013). A spectrum rather than one σ, because film grain is correlated between neighbours and JPEG takes away the
 * high frequencies: one σ would leave the grain or wipe out detail. Blocks lie off the JPEG grid; clipped ones are left out.
 */
export function measureNoise({ source, reduce = 1 }: NoiseInput, tile: Tile): NoiseSample {
  const side = 8 * reduce;
  const area = (tile.x1 - tile.x0) * (tile.y1 - tile.y0);
  // Odd, so that the blocks fall on every phase of an 8×8 grid.
  const pitch = Math.max(5 * reduce, Math.round(Math.sqrt(area / BLOCKS))) | 1;
  const across = Math.max(0, Math.ceil((tile.x1 - tile.x0 - side + 1) / pitch));
  const down = Math.max(0, Math.ceil((tile.y1 - tile.y0 - side + 1) / pitch));
  const count = colourChannels(source);
  // One array for all of them: an array for each would be a hundred thousand.
  const coefficients = new Float32Array(across * down * count * 64);
  const scores: number[] = [];
  const block: Block = new Float64Array(64);
  for (let y = tile.y0; y + side <= tile.y1; y += pitch) {
    const strip = readPlanes(source, { x0: tile.x0, y0: y, x1: tile.x1, y1: y + side });
    for (let x = tile.x0; x + side <= tile.x1; x += pitch) {
      if (reduce === 1 && clipped(source, x, y)) continue;
      const at = scores.length * count * 64;
      for (let plane = 0; plane < count; plane++) {
        take(block, strip[plane]!, x - tile.x0, tile.x1 - tile.x0, reduce);
        // What averages to a level within the scale still tells of the grain; most of a snow field or a night would be left out.
        if (reduce === 2 && plane === 0 && clippedBlock(block)) break;
        forwardDct(block);
        coefficients.set(block, at + plane * 64);
        if (plane === 0) scores.push(lowFrequencies(block));
      }
    }
  }
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  const calm = order.slice(0, Math.ceil(order.length * CALM));
  const busier = order.slice(calm.length, Math.ceil(order.length * BUSIER));
  const of = (blocks: readonly number[], plane: number): number[] =>
    plane < count ? spectrum(coefficients, blocks, plane, count) : Array.from({ length: 64 }, () => 0);
  const v = of(calm, 2);
  const chroma = of(calm, 1).map((sigma, k) => Math.hypot(sigma, v[k]!) / Math.SQRT2);
  return { luma: of(calm, 0), chroma, busier: of(busier, 0) };
}

/** A block of 8×8 at `x` of a strip, or of 16×16 of which each four samples are averaged. */
function take(block: Block, strip: Plane, x: number, columns: number, reduce: 1 | 2): void {
  for (let i = 0; i < 64; i++) {
    const at = reduce * ((i >> 3) * columns + (i & 7)) + x;
    block[i] =
      reduce === 1 ? strip[at]! : (strip[at]! + strip[at + 1]! + strip[at + columns]! + strip[at + columns + 1]!) / 4;
  }
}

/** Samples of a block of 64 that may be at the end of the scale. */
const CLIPPED = 6;

function clippedBlock(block: Block): boolean {
  return block.reduce((count, level) => count + (level <= 1 || level >= 254 ? 1 : 0), 0) > CLIPPED;
}

function clipped({ data, width, channels, depth }: Raster, x: number, y: number): boolean {
  const low = depth === 16 ? 257 : 1;
  const high = depth === 16 ? 254 * 257 : 254;
  let count = 0;
  for (let dy = 0; dy < 8; dy++) {
    const from = ((y + dy) * width + x) * channels;
    for (let i = from; i < from + 8 * channels; i++) if (data[i]! <= low || data[i]! >= high) count++;
  }
  return count > CLIPPED * channels;
}

function lowFrequencies(dct: Block): number {
  let sum = 0;
  for (let k = 1; k < 32; k++) if ((k >> 3) + (k & 7) <= 3) sum += dct[k]! * dct[k]!;
  return sum;
}

/** Robust σ of each coefficient: the 80th percentile, which JPEG's zeros do not pull down as they do the median. */
function spectrum(coefficients: Float32Array, blocks: readonly number[], plane: number, count: number): number[] {
  const { length } = blocks;
  const values = new Float32Array(64 * length);
  for (let i = 0; i < length; i++) {
    const from = (blocks[i]! * count + plane) * 64;
    for (let k = 0; k < 64; k++) values[k * length + i] = Math.abs(coefficients[from + k]!);
  }
  const rank = Math.floor(length * 0.8);
  return Array.from({ length: 64 }, (_, k) =>
    length === 0 ? 0 : nthSmallest(values.subarray(k * length, (k + 1) * length), rank) / 1.2816,
  );
}
