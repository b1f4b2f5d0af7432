import { SIGMA_BIN, type EdgeSample } from '../pixels/measure-edges.ts';
import type { SharpnessMeasurement } from './measurements.ts';

/** Fewer edges than this say nothing about a picture. */
const FEWEST_EDGES = 60;

/** The sharpest tenth of the edges, since the rest may be out of focus on purpose; and those in the middle. */
export function sharpnessFrom(samples: readonly EdgeSample[]): SharpnessMeasurement {
  const bins =
    samples[0]?.sigmas.map((_, bin) => samples.reduce((sum, { sigmas }) => sum + (sigmas[bin] ?? 0), 0)) ?? [];
  const edges = bins.reduce((a, b) => a + b, 0);
  if (edges < FEWEST_EDGES) return { blurSigma: null, typicalSigma: null };
  const sigmaOf = (share: number): number => {
    let sharper = 0;
    return (bins.findIndex((count) => (sharper += count) > edges * share) + 0.5) * SIGMA_BIN;
  };
  return { blurSigma: sigmaOf(0.1), typicalSigma: sigmaOf(0.5) };
}
