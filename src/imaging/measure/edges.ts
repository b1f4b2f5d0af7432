import type { EdgeSample } from '../pixels/measure-edges.ts';
import type { JpegMeasurement, SharpnessMeasurement } from './measurements.ts';

/** Fewer edges than this say nothing about a picture. */
const FEWEST_EDGES = 60;

/** The sharpest tenth of the edges: the rest may be out of focus on purpose. */
export function sharpnessFrom(samples: readonly EdgeSample[]): SharpnessMeasurement {
  const sigmas = samples.flatMap((sample) => sample.sigmas).toSorted((a, b) => a - b);
  return { blurSigma: sigmas.length < FEWEST_EDGES ? null : (sigmas[Math.floor(sigmas.length / 10)] ?? null) };
}

export function jpegFrom(samples: readonly EdgeSample[]): JpegMeasurement {
  const sum = (of: (grid: EdgeSample['grid']) => number): number =>
    samples.reduce((all, { grid }) => all + of(grid), 0);
  const mean = (total: number, count: number): number => (count === 0 ? 0 : total / count);
  const on = mean(
    sum((grid) => grid.on),
    sum((grid) => grid.onCount),
  );
  const off = mean(
    sum((grid) => grid.off),
    sum((grid) => grid.offCount),
  );
  const blocking = off < 0.02 ? 1 : on / off;
  return { blocking, visible: blocking > 1.25 };
}
