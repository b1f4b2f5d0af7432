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
  const radius = weights.length - 1;
  const line = new Float32Array(width + 2 * radius);
  for (let y = 0; y < height; y++) {
    const row = y * width;
    line.set(plane.subarray(row, row + width), radius);
    line.fill(plane[row]!, 0, radius);
    line.fill(plane[row + width - 1]!, radius + width);
    for (let x = 0; x < width; x++) {
      const at = x + radius;
      let sum = weights[0]! * line[at]!;
      for (let k = 1; k <= radius; k++) sum += weights[k]! * (line[at - k]! + line[at + k]!);
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
