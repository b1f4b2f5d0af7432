import type { NoiseSample } from '../pixels/measure-noise.ts';
import type { NoiseMeasurement } from './measurements.ts';
import { ramp } from './tone.ts';

/**
 * Noise is as strong in the calm parts of a picture as in the busier ones, and flat at low frequencies; texture is neither. Both
 * ratios were taken from photographs with known grain and from pictures of gravel, grass and fur.
 */
const BUSIER = { noise: 1.4, texture: 2.1 };
const LOW_TO_MIDDLE = { noise: 1.2, texture: 1.45 };
/** The same where the figure is lowered rather than the work left out. */
const LOW_IN_DOUBT = { noise: 1.25, texture: 1.6 };
/** What the lowest frequencies have beyond this, against the middle ones, is the picture's. */
const FLAT = 1.1;

/** Beyond this, busier blocks differ from calm ones; below it, no texture is as even. */
const EVEN = { noise: 1.1, texture: 1.3 };
/** High against middle frequencies: what the grain of a soft scan still has, and what no texture has in the calm parts. */
const SOFT = { from: 0.15, to: 0.25 };
const CRISP = { from: 0.4, to: 0.6 };
/** σ in the calm parts that the texture of an undamaged photo does not reach. */
const MORE_THAN_TEXTURE = { from: 4.5, to: 6.5 };
/** σ of white noise at half the size is 1/2; where it seems to be less than 1/2.8, most blocks were edges. */
const MOST_TO_HALF = 2.8;
/** What JPEG has taken away: ln of it = LOST · (1 − quality) / σ, up to a factor of two. */
const LOST = 5;
const MOST_LOST = 0.7;
/** σ up to which a picture counts as clean, and from which the figure is taken as it is. */
const CLEAN = { from: 1.2, to: 2.6 };

/**
 * σ over all frequencies (by Parseval the root mean square of the coefficients' σ), and how much it looks like noise.
 *
 * The figure for nets and people (`sigma`) is corrected by what was found on photographs with known grain and JPEG
 * compression: upwards where JPEG or softness has taken high frequencies, down to what the half-sized picture allows, and to 0
 * where it may be texture.
 *
 * @param half the same picture at half the size.
 * @param quality of the JPEG compression, 1–100.
 */
export function noiseFrom(sample: NoiseSample, half: NoiseSample, quality: number): NoiseMeasurement {
  const { luma, chroma, busier } = sample;
  const middle = rms(luma, 2.5, 3.5);
  const fine = rms(luma, 2.5);
  const busy = rms(busier, 2.5) / Math.max(fine, 1e-6);
  const low = rms(luma, 0.5, 1.5) / Math.max(middle, 1e-6);
  const high = rms(luma, 6) / Math.max(middle, 1e-6);
  const there = middle >= 0.2;
  const sure = there ? falling(busy, BUSIER) * falling(low, LOW_TO_MIDDLE) : 0;
  const spectrum = { luma: flatten(luma), chroma: flatten(chroma) };
  const whole = perChannel(sample);
  const noisy = there
    ? Math.max(
        falling(busy, BUSIER) * falling(low, LOW_IN_DOUBT),
        falling(busy, EVEN) * ramp(high, SOFT.from, SOFT.to),
        ramp(whole, MORE_THAN_TEXTURE.from, MORE_THAN_TEXTURE.to) * ramp(high, CRISP.from, CRISP.to),
      )
    : 0;
  const bounded = Math.min(whole, MOST_TO_HALF * perChannel(half));
  const lost = Math.min(MOST_LOST, (LOST * (1 - quality / 100)) / Math.max(bounded, 1e-3));
  const sigma = bounded * (1.02 + 0.12 * (1 - Math.min(1, high))) * Math.exp(lost);
  return {
    sigma: sigma * ramp(noisy, 0.1, 0.4) * ramp(bounded, CLEAN.from, CLEAN.to),
    luma: rms(spectrum.luma),
    chroma: rms(spectrum.chroma),
    spectrum,
    confidence: sure,
  };
}

/** σ in a colour channel, on average over the three: with l, u, v of `readPlanes`, l² + 2/3·u² + 8/9·v². */
function perChannel({ luma, chroma }: NoiseSample): number {
  return Math.hypot(rms(flatten(luma)), 1.225 * rms(flatten(chroma)));
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
