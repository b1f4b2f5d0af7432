import type { EdgeSample } from '../pixels/measure-edges.ts';
import { JPEG_NO_TRACE } from './jpeg-quality.ts';
import type { JpegMeasurement } from './measurements.ts';

/** Grid energy from which blocks can be seen; about JPEG quality 75 and less. */
const VISIBLE = 1.25;

/**
 * The quality by the file's own table, if it is a JPEG, or by its pixels, whichever is worse: a file may have been saved again.
 *
 * @param pixelQuality as `measureJpeg` has it.
 * @param fileQuality as `fileQuality` has it.
 */
export function jpegFrom(
  edges: readonly EdgeSample[],
  pixelQuality: number | undefined,
  fileQuality: number | null,
): JpegMeasurement {
  const grids = edges.map((sample) => sample.grid);
  const on = mean(grids.map((grid) => [grid.on, grid.onCount]));
  const off = mean(grids.map((grid) => [grid.off, grid.offCount]));
  const blocking = off < 0.02 ? 1 : on / off;
  const quality = Math.min(pixelQuality ?? JPEG_NO_TRACE, fileQuality ?? JPEG_NO_TRACE);
  return { blocking, visible: blocking > VISIBLE, quality };
}

/** From sums and counts. */
function mean(parts: readonly [number, number][]): number {
  const [sum, count] = parts.reduce(([a, n], [b, m]) => [a + b, n + m], [0, 0]);
  return count === 0 ? 0 : sum / count;
}
