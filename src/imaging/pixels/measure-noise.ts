import type { Raster } from '../raster.ts';
import { forwardDct, type Block } from './dct.ts';
import { readPlanes, type Plane } from './planes.ts';
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

interface Sampled {
  readonly score: number;
  readonly planes: readonly Float32Array[];
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
  const samples: Sampled[] = [];
  const block: Block = new Float64Array(64);
  for (let y = tile.y0; y + side <= tile.y1; y += pitch) {
    for (let x = tile.x0; x + side <= tile.x1; x += pitch) {
      if (reduce === 1 && clipped(source, x, y)) continue;
      const read = readPlanes(source, { x0: x, y0: y, x1: x + side, y1: y + side });
      const small = reduce === 1 ? read : read.map(halve);
      // What averages to a level within the scale still tells of the grain; most of a snow field or a night would be left out.
      if (reduce === 2 && clippedPlane(small[0]!)) continue;
      const planes = small.map((plane) => {
        block.set(plane);
        forwardDct(block);
        return Float32Array.from(block);
      });
      samples.push({ score: lowFrequencies(planes[0]!), planes });
    }
  }
  samples.sort((a, b) => a.score - b.score);
  const calm = samples.slice(0, Math.ceil(samples.length * CALM));
  const busier = samples.slice(calm.length, Math.ceil(samples.length * BUSIER));
  const luma = spectrum(calm, 0);
  const u = spectrum(calm, 1);
  const v = spectrum(calm, 2);
  return { luma, chroma: u.map((sigma, k) => Math.hypot(sigma, v[k]!) / Math.SQRT2), busier: spectrum(busier, 0) };
}

/** Each four samples of 16×16 averaged. */
function halve(plane: Plane): Plane {
  return Float32Array.from({ length: 64 }, (_, i) => {
    const at = 32 * (i >> 3) + 2 * (i & 7);
    return (plane[at]! + plane[at + 1]! + plane[at + 16]! + plane[at + 17]!) / 4;
  });
}

/** Samples of a block of 64 that may be at the end of the scale. */
const CLIPPED = 6;

function clippedPlane(plane: Plane): boolean {
  return plane.reduce((count, level) => count + (level <= 1 || level >= 254 ? 1 : 0), 0) > CLIPPED;
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

function lowFrequencies(dct: Float32Array): number {
  let sum = 0;
  for (let k = 1; k < 32; k++) if ((k >> 3) + (k & 7) <= 3) sum += dct[k]! * dct[k]!;
  return sum;
}

/** Robust σ of each coefficient: the 80th percentile, which JPEG's zeros do not pull down as they do the median. */
function spectrum(samples: readonly Sampled[], plane: number): number[] {
  const values = new Float32Array(samples.length);
  return Array.from({ length: 64 }, (_, k) => {
    samples.forEach((sample, i) => (values[i] = Math.abs(sample.planes[plane]?.[k] ?? 0)));
    values.sort();
    return (values[Math.floor(values.length * 0.8)] ?? 0) / 1.2816;
  });
}
