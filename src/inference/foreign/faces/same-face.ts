import type { Planes } from '../model.ts';

/** Cells along each side in which two faces are compared, and their correlation and the change of their mean that a restored face keeps. */
const CELLS = 16;
const ALIKE = 0.75;
const BRIGHTER = 0.2;

/** Mean luminance of each cell, 0–1. */
function coarse({ data, width }: Planes): Float64Array {
  const cells = new Float64Array(CELLS * CELLS);
  const size = width * width;
  const counts = new Float64Array(CELLS * CELLS);
  for (let y = 0, i = 0; y < width; y++) {
    const row = Math.floor((y * CELLS) / width) * CELLS;
    for (let x = 0; x < width; x++, i++) {
      const cell = row + Math.floor((x * CELLS) / width);
      cells[cell]! += (data[i]! + data[i + size]! + data[i + 2 * size]!) / 3;
      counts[cell]!++;
    }
  }
  return cells.map((sum, i) => sum / counts[i]!);
}

const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Whether a restored face is still the one that was given, as far as a look from afar tells: light and shade lie where they lay. The gate
 * measures shares of the whole photo, of which a face may be next to nothing.
 */
export function isSameFace(before: Planes, after: Planes): boolean {
  const [a, b] = [coarse(before), coarse(after)];
  const [meanA, meanB] = [mean(a), mean(b)];
  let [aa, bb, ab] = [0, 0, 0];
  a.forEach((value, i) => {
    const [x, y] = [value - meanA, b[i]! - meanB];
    aa += x * x;
    bb += y * y;
    ab += x * y;
  });
  if (Math.abs(meanA - meanB) > BRIGHTER) return false;
  // A face without light and shade tells nothing that could be lost.
  if (aa < 1e-4 * CELLS * CELLS) return bb < 4e-3 * CELLS * CELLS;
  return ab >= ALIKE * Math.sqrt(aa * bb) && bb > 0;
}
