import type { Plane } from './planes.ts';

/** Weights of a Gaussian from its centre outwards; together with the mirrored half they sum to 1. */
function gaussianWeights(sigma: number): Float64Array {
  const radius = Math.max(1, Math.ceil(sigma * 3));
  const weights = Float64Array.from({ length: radius + 1 }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const sum = weights.reduce((total, w, i) => total + (i === 0 ? w : 2 * w), 0);
  return weights.map((w) => w / sum);
}

/** Separable Gaussian blur; the edge pixels are repeated outwards. */
export function gaussianBlur(plane: Plane, width: number, height: number, sigma: number): Plane {
  const weights = gaussianWeights(sigma);
  const across = new Float32Array(width * height);
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < width; x++) {
      let sum = weights[0]! * plane[row + x]!;
      for (let k = 1; k < weights.length; k++) {
        const left = x - k < 0 ? 0 : x - k;
        const right = x + k >= width ? width - 1 : x + k;
        sum += weights[k]! * (plane[row + left]! + plane[row + right]!);
      }
      across[row + x] = sum;
    }
  }
  for (let y = 0; y < height; y++) {
    const row = y * width;
    for (let x = 0; x < width; x++) out[row + x] = weights[0]! * across[row + x]!;
    for (let k = 1; k < weights.length; k++) {
      const above = Math.max(0, y - k) * width;
      const below = Math.min(height - 1, y + k) * width;
      const weight = weights[k]!;
      for (let x = 0; x < width; x++) out[row + x]! += weight * (across[above + x]! + across[below + x]!);
    }
  }
  return out;
}
