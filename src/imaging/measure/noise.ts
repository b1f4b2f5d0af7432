import type { NoiseSample } from '../pixels/measure-noise.ts';
import type { NoiseMeasurement } from './measurements.ts';
import { ramp } from './tone.ts';

/**
 * Noise is as strong in the calm parts of a picture as in the busier ones, and flat at low frequencies; texture is neither. Both
 * ratios were taken from photographs with known grain and from pictures of gravel, grass and fur.
 */
const BUSIER = { noise: 1.4, texture: 2.1 };
const LOW_TO_MIDDLE = { noise: 1.2, texture: 1.45 };
/** What the lowest frequencies have beyond this, against the middle ones, is the picture's. */
const FLAT = 1.1;

/** σ over all frequencies (by Parseval the root mean square of the coefficients' σ), and how much it looks like noise. */
export function noiseFrom({ luma, chroma, busier }: NoiseSample): NoiseMeasurement {
  const middle = rms(luma, 2.5, 3.5);
  const fine = rms(luma, 2.5);
  const sure =
    middle < 0.2 ? 0 : falling(rms(busier, 2.5) / fine, BUSIER) * falling(rms(luma, 0.5, 1.5) / middle, LOW_TO_MIDDLE);
  const spectrum = { luma: flatten(luma), chroma: flatten(chroma) };
  return { luma: rms(spectrum.luma), chroma: rms(spectrum.chroma), spectrum, confidence: sure };
}

function falling(ratio: number, { noise, texture }: { noise: number; texture: number }): number {
  return 1 - ramp(ratio, noise, texture);
}

function flatten(spectrum: readonly number[]): number[] {
  const most = FLAT * rms(spectrum, 2.5, 3.5);
  return spectrum.map((sigma, k) => (radius(k) < 2.5 ? Math.min(sigma, most) : sigma));
}

/** Distance of a coefficient from the mean of its block, in half periods per block. */
function radius(k: number): number {
  return Math.hypot(k >> 3, k & 7);
}

/** Root mean square of the coefficients between two radii; without the mean of the block. */
function rms(spectrum: readonly number[], from = 0.5, to = Infinity): number {
  let sum = 0;
  let count = 0;
  spectrum.forEach((sigma, k) => {
    if (radius(k) < from || radius(k) >= to) return;
    sum += sigma * sigma;
    count++;
  });
  return Math.sqrt(sum / Math.max(1, count));
}
