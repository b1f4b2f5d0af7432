import type { Plane } from './planes.ts';

/** Part of a plane, in its pixels; what lies around it may be read. */
export interface Area {
  /** Of the plane. */
  readonly width: number;
  readonly height: number;
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/**
 * Blocks by their brightness, in `BANDS` bands, and in each by the energy of their fine structure before, in quarter octaves; energies
 * are means over a block.
 */
export interface FineSums {
  readonly blocks: number[];
  readonly before: number[];
  readonly after: number[];
  /** Before times after: what of the one is in the other. */
  readonly common: number[];
}

const SIDE = 16;
export const ENERGY_BINS = 72;
/** Grain is strongest in the mid tones: what is calm in the dark says little of it. */
export const BANDS = 6;
/** Energy of the lowest bin: grain of σ 0.04 levels. */
const LEAST = 1 / 512;

export function emptyFine(): FineSums {
  const zeros = (): number[] => Array.from({ length: BANDS * ENERGY_BINS }, () => 0);
  return { blocks: zeros(), before: zeros(), after: zeros(), common: zeros() };
}

export function addFine(sums: FineSums, a: Plane, b: Plane, { width, height, x0, y0, x1, y1 }: Area): void {
  for (let y = y0; y + SIDE <= y1; y += SIDE) {
    for (let x = x0; x + SIDE <= x1; x += SIDE) {
      let mean = 0;
      let before = 0;
      let after = 0;
      let common = 0;
      let count = 0;
      for (let v = Math.max(1, y); v < Math.min(y + SIDE, height - 1); v++) {
        for (let u = Math.max(1, x); u < Math.min(x + SIDE, width - 1); u++) {
          const at = v * width + u;
          const p = a[at]! - (a[at - 1]! + a[at + 1]! + a[at - width]! + a[at + width]!) / 4;
          const q = b[at]! - (b[at - 1]! + b[at + 1]! + b[at - width]! + b[at + width]!) / 4;
          mean += a[at]!;
          before += p * p;
          after += q * q;
          common += p * q;
          count++;
        }
      }
      mean /= count;
      // Black and white hide the grain.
      if (mean < 8 || mean > 247) continue;
      const band = Math.floor((mean / 256) * BANDS);
      const bin = band * ENERGY_BINS + binOf(before / count);
      sums.blocks[bin]!++;
      sums.before[bin]! += before / count;
      sums.after[bin]! += after / count;
      sums.common[bin]! += common / count;
    }
  }
}

function binOf(energy: number): number {
  return Math.min(ENERGY_BINS - 1, Math.max(0, Math.round(4 * Math.log2(Math.max(LEAST, energy) / LEAST))));
}

/** The same area at half the size. */
export function halve({ width, height, x0, y0, x1, y1 }: Area): { area: Area; plane: (whole: Plane) => Plane } {
  const w = width >> 1;
  const h = height >> 1;
  return {
    area: { width: w, height: h, x0: x0 >> 1, y0: y0 >> 1, x1: Math.min(w, x1 >> 1), y1: Math.min(h, y1 >> 1) },
    plane(whole) {
      const out = new Float32Array(w * h);
      for (let y = 0, i = 0; y < h; y++) {
        for (let x = 0, at = 2 * y * width; x < w; x++, i++, at += 2) {
          out[i] = (whole[at]! + whole[at + 1]! + whole[at + width]! + whole[at + width + 1]!) / 4;
        }
      }
      return out;
    },
  };
}
