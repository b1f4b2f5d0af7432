import { isDamageTold, MOST_DAMAGE } from '../damage-evidence.ts';
import { findDamage } from '../find-damage.ts';
import { NoPicture } from '../no-picture.ts';
import type { Nets } from '../nets.ts';
import type { PixelPool } from '../pixels/pool.ts';
import type { Raster } from '../raster.ts';
import type { Measurements } from './measurements.ts';

/** Share of the pixels that is damaged, 0–1; or why nobody can say. */
export type Coverage =
  | { readonly share: number }
  | { readonly share: null; readonly why: 'NO_NET' | 'TOO_SHARP' | 'CONTENT' };

/**
 * How much of a photo scratches and dust cover, by the rules of the step that would repair it: in a photo that is sharp and clean,
 * nobody can tell them from what it shows. A small copy, such as `survey` makes, is enough. Throws the signal's reason, or what the
 * net throws.
 */
export async function damageCoverage(
  source: Raster,
  {
    measurements,
    nets,
    pixels,
    signal,
  }: { measurements: Measurements; nets: Nets; pixels: PixelPool; signal: AbortSignal },
): Promise<Coverage> {
  await nets.ready?.(['mask'], 'BALANCED');
  const net = nets.find('mask', 'BALANCED');
  if (net === undefined) return { share: null, why: 'NO_NET' };
  if (!isDamageTold(measurements, true)) return { share: null, why: 'TOO_SHARP' };
  const context = {
    measurements,
    pixels,
    signal,
    options: { quality: 'BALANCED' as const },
    onProgress: () => undefined,
  };
  const found = await findDamage(source, net, context).catch((error: unknown) => {
    if (error instanceof NoPicture) return null;
    throw error;
  });
  if (found === null) return { share: null, why: 'NO_NET' };
  if (found === undefined) return { share: 0 };
  return found.coverage > MOST_DAMAGE.AUTO ? { share: null, why: 'CONTENT' } : { share: found.coverage };
}
