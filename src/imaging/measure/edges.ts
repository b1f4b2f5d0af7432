import { SIGMA_BIN, type EdgeSample } from '../pixels/measure-edges.ts';
import type { JpegMeasurement, SharpnessMeasurement } from './measurements.ts';

/** Fewer edges than this say nothing about a picture. */
const FEWEST_EDGES = 60;
/** Grid energy from which blocks can be seen; about JPEG quality 75 and less. */
const VISIBLE = 1.25;

/** The sharpest tenth of the edges: the rest may be out of focus on purpose. */
export function sharpnessFrom(samples: readonly EdgeSample[]): SharpnessMeasurement {
  const bins =
    samples[0]?.sigmas.map((_, bin) => samples.reduce((sum, { sigmas }) => sum + (sigmas[bin] ?? 0), 0)) ?? [];
  const edges = bins.reduce((a, b) => a + b, 0);
  if (edges < FEWEST_EDGES) return { blurSigma: null };
  let sharper = 0;
  const bin = bins.findIndex((count) => (sharper += count) > edges / 10);
  return { blurSigma: (bin + 0.5) * SIGMA_BIN };
}

export function jpegFrom(samples: readonly EdgeSample[]): JpegMeasurement {
  const grids = samples.map((sample) => sample.grid);
  const on = mean(grids.map((grid) => [grid.on, grid.onCount]));
  const off = mean(grids.map((grid) => [grid.off, grid.offCount]));
  const blocking = off < 0.02 ? 1 : on / off;
  return { blocking, visible: blocking > VISIBLE };
}

/** From sums and counts. */
function mean(parts: readonly [number, number][]): number {
  const [sum, count] = parts.reduce(([a, n], [b, m]) => [a + b, n + m], [0, 0]);
  return count === 0 ? 0 : sum / count;
}
