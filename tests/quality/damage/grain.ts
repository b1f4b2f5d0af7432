import { gaussianBlur } from '../filters.ts';
import { luma, mapPlanes, type Picture, type Plane } from '../picture.ts';
import type { Random } from '../random.ts';

export interface Grain {
  /** Standard deviation of one channel in mid tones, 8-bit levels. */
  readonly sigma: number;
  /** Gaussian that the noise is blurred with, pixels: the size of a grain. The deviation is brought back to `sigma`. */
  readonly correlation: number;
}

/** Share common to all channels, and share of each channel's own: √(0.85² + 0.5²) ≈ 0.99 together. */
const MONO = 0.85;
const CHROMA = 0.5;
/** What is left of the grain in black and in white, where film has next to none. */
const AT_THE_ENDS = 0.5;

/** Noise of deviation 1. */
function noise(size: { width: number; height: number }, correlation: number, random: Random): Plane {
  const white = Float32Array.from({ length: size.width * size.height }, () => random.normal());
  const plane = gaussianBlur(white, size, correlation);
  if (plane === white) return white;
  const deviation = Math.sqrt(plane.reduce((sum, level) => sum + level * level, 0) / plane.length);
  return plane.map((level) => level / deviation);
}

/** Film grain, stronger in mid tones: σ·(½ + ½·4l(1 − l)) at luma l. */
export function addGrain(picture: Picture, { sigma, correlation }: Grain, random: Random): Picture {
  const mono = noise(picture, correlation, random);
  const strength = luma(picture).map((l) => {
    const level = Math.min(1, Math.max(0, l));
    return (sigma / 255) * (AT_THE_ENDS + (1 - AT_THE_ENDS) * 4 * level * (1 - level));
  });
  return mapPlanes(picture, (plane) => {
    const own = noise(picture, correlation, random);
    return plane.map((level, i) => level + strength[i]! * (MONO * mono[i]! + CHROMA * own[i]!));
  });
}
