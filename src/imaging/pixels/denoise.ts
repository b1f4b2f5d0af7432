import type { Raster } from '../raster.ts';
import { forwardDct, inverseDct, type Block } from './dct.ts';
import { readPlanes, writePlanes, type Plane } from './planes.ts';
import { growTile, type Tile } from './tile.ts';

export interface DenoiseInput {
  readonly source: Raster;
  readonly target: Raster;
  /** σ of the noise in each of the 64 DCT coefficients, 8-bit levels. */
  readonly luma: readonly number[];
  readonly chroma: readonly number[];
  /** Scales those σ: 1 takes them for what they are, less keeps more detail and more grain. */
  readonly gain: number;
  /** 0–1: how much of the result goes into the picture. */
  readonly share: number;
}

/** Two passes of blocks of 8 reach 14 pixels. */
const HALO = 16;
/** Between one block and the next; chroma is smooth, so every fourth pixel is enough there. */
const STEP = { luma: 3, chroma: 4 } as const;
/** Coefficients under this many σ are taken for noise in the first pass. */
const THRESHOLD = 3;
/** σ of the second pass against the measured one, found on photographs with known grain. */
const WIENER_GAIN = 1.15;

/** A block counts most at its centre: what comes from its border is the least certain. */
const SIDE = Float64Array.from({ length: 8 }, (_, n) => 0.55 + 0.45 * Math.sin((Math.PI * (n + 0.5)) / 8));
const WINDOW = Float64Array.from({ length: 64 }, (_, i) => SIDE[i >> 3]! * SIDE[i & 7]!);

/** Shrinks the coefficients of a block in place and returns the weight with which it enters the mean. */
type Shrink = (block: Block, at: number) => number;

/**
 * Sliding-window DCT shrinkage in two passes: hard thresholding gives a first estimate, which then steers an empirical Wiener filter
 * (Yaroslavsky 1996; Yu, Sapiro: DCT image denoising, IPOL 2011; the second pass and the weights after Dabov et al. 2007,
 * without block matching). Thresholds follow the measured spectrum, so that coarse grain and what JPEG left of it are both met.
 */
export function denoiseTile({ source, target, luma, chroma, gain, share }: DenoiseInput, tile: Tile): void {
  const from = growTile(tile, HALO, source.width, source.height);
  const width = from.x1 - from.x0;
  const height = from.y1 - from.y0;
  const planes = readPlanes(source, from);
  const out = planes.map((plane, i) => {
    const step = i === 0 ? STEP.luma : STEP.chroma;
    const sigma = Float64Array.from(i === 0 ? luma : chroma, (s) => s * gain);
    const first = slide(plane, width, height, step, hardThreshold(sigma));
    const second = slide(plane, width, height, step, wiener(sigma, first, width));
    for (let p = 0; p < plane.length; p++) second[p] = plane[p]! + share * (second[p]! - plane[p]!);
    return second;
  });
  writePlanes(out, from, source, target, tile);
}

function hardThreshold(sigma: Float64Array): Shrink {
  const limits = sigma.map((s) => s * THRESHOLD);
  return (block) => {
    let kept = 1;
    for (let k = 1; k < 64; k++) {
      if (Math.abs(block[k]!) < limits[k]!) block[k] = 0;
      else kept++;
    }
    return 1 / kept;
  };
}

function wiener(sigma: Float64Array, estimate: Plane, stride: number): Shrink {
  const noise = sigma.map((s) => s * s * WIENER_GAIN * WIENER_GAIN + 1e-9);
  const pilot: Block = new Float64Array(64);
  return (block, at) => {
    load(pilot, estimate, at, stride);
    forwardDct(pilot);
    let power = 1;
    for (let k = 1; k < 64; k++) {
      const signal = pilot[k]! * pilot[k]!;
      const keep = signal / (signal + noise[k]!);
      block[k]! *= keep;
      power += keep * keep;
    }
    return 1 / power;
  };
}

/** The weighted mean of all shrunk blocks that cover a pixel. A plane smaller than a block comes back as it is. */
function slide(plane: Plane, width: number, height: number, step: number, shrink: Shrink): Plane {
  if (width < 8 || height < 8) return plane.slice();
  const sum = new Float32Array(width * height);
  const weights = new Float32Array(width * height);
  const block: Block = new Float64Array(64);
  const columns = starts(width, step);
  for (const y of starts(height, step)) {
    for (const x of columns) {
      const at = y * width + x;
      load(block, plane, at, width);
      forwardDct(block);
      const weight = shrink(block, at);
      inverseDct(block);
      for (let dy = 0, i = 0, p = at; dy < 8; dy++, p += width) {
        for (let dx = 0; dx < 8; dx++, i++) {
          const w = weight * WINDOW[i]!;
          sum[p + dx] = sum[p + dx]! + w * block[i]!;
          weights[p + dx] = weights[p + dx]! + w;
        }
      }
    }
  }
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! / weights[i]!;
  return sum;
}

function starts(length: number, step: number): number[] {
  const all: number[] = [];
  for (let at = 0; at < length - 8; at += step) all.push(at);
  all.push(length - 8);
  return all;
}

function load(block: Block, plane: Plane, at: number, stride: number): void {
  for (let y = 0, i = 0, p = at; y < 8; y++, p += stride) {
    for (let x = 0; x < 8; x++, i++) block[i] = plane[p + x]!;
  }
}
