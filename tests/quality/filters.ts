import type { Plane } from './picture.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

/** A mirrored index: … 2 1 0 | 0 1 2 … */
export function mirrored(index: number, length: number): number {
  let at = index;
  while (at < 0 || at >= length) at = at < 0 ? -at - 1 : 2 * length - 1 - at;
  return at;
}

/** Columns and rows through one symmetric or asymmetric kernel of odd length, the border mirrored. */
export function separable(plane: Plane, { width, height }: Size, kernel: ArrayLike<number>): Plane {
  const radius = (kernel.length - 1) / 2;
  const row = new Float32Array(width * height);
  const columns = Int32Array.from({ length: width + 2 * radius }, (_, i) => mirrored(i - radius, width));
  for (let y = 0; y < height; y++) {
    const start = y * width;
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k++) sum += kernel[k]! * plane[start + columns[x + k]!]!;
      row[start + x] = sum;
    }
  }
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let k = 0; k < kernel.length; k++) {
      const start = mirrored(y + k - radius, height) * width;
      const factor = kernel[k]!;
      for (let x = 0; x < width; x++) out[y * width + x] = out[y * width + x]! + factor * row[start + x]!;
    }
  }
  return out;
}

/** Weights of a gaussian of `sigma` pixels, sum 1, cut off at `radius` (default 3.5 σ). */
export function gaussianKernel(sigma: number, radius = Math.max(1, Math.ceil(3.5 * sigma))): readonly number[] {
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-0.5 * ((i - radius) / sigma) ** 2));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Gaussian blur of `sigma` pixels; below 0.05 the plane itself. */
export function gaussianBlur(plane: Plane, size: Size, sigma: number): Plane {
  return sigma < 0.05 ? plane : separable(plane, size, gaussianKernel(sigma));
}

/** The smallest (`pick` = Math.min) or largest level within a square of 2·radius + 1 pixels. */
export function extreme(plane: Plane, { width, height }: Size, radius: number, pick: 'min' | 'max'): Plane {
  const better = pick === 'min' ? Math.min : Math.max;
  const row = new Float32Array(width * height);
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let best = plane[y * width + x]!;
      for (let at = Math.max(0, x - radius); at <= Math.min(width - 1, x + radius); at++) {
        best = better(best, plane[y * width + at]!);
      }
      row[y * width + x] = best;
    }
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let best = row[y * width + x]!;
      for (let at = Math.max(0, y - radius); at <= Math.min(height - 1, y + radius); at++) {
        best = better(best, row[at * width + x]!);
      }
      out[y * width + x] = best;
    }
  }
  return out;
}
