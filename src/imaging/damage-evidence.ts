import type { Measurements } from './measure/measurements.ts';
import { ramp } from './measure/tone.ts';

/**
 * A photo has to be soft or grainy before damage is looked for unasked: a crisp one, faded or not, has wires, hair and jewellery that
 * look the same. Blur of the typical edge in pixels, since scratches are sharp themselves; σ of the grain in 8-bit levels.
 */
const SOFT = { from: 0.75, to: 1.05 } as const;
const GRAINY = { from: 3, to: 6 } as const;
/** Without a net, what is fine in a picture is told from damage only where nothing in it is sharp. */
const VERY_SOFT = { from: 1.15, to: 1.4 } as const;
/** Share of the picture beyond which it is rather its content that was found: unasked, asked for, and without a net. */
export const MOST_DAMAGE = { AUTO: 0.06, FORCE: 0.15, classical: 0.055 } as const;

/** Whether fine lines and specks in a photo are likelier to be damage than what it shows. */
export function isDamageTold({ sharpness, noise }: Measurements, hasNet: boolean): boolean {
  if (!hasNet) return ramp(sharpness.blurSigma ?? 0, VERY_SOFT.from, VERY_SOFT.to) >= 0.5;
  const soft = ramp(sharpness.typicalSigma ?? 0, SOFT.from, SOFT.to);
  return Math.max(soft, ramp(noise.sigma, GRAINY.from, GRAINY.to)) >= 0.5;
}
