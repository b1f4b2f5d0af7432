import type { Nets } from '../nets.ts';
import { BINS } from '../pixels/histogram.ts';
import type { PixelPool } from '../pixels/pool.ts';
import { createRaster, type Raster } from '../raster.ts';

/** Probability of damage from which a pixel counts. */
const DAMAGED = 0.5;

/**
 * Share of the pixels, 0–1, that the net for masks takes for scratches, dust and creases; null where there is no such net.
 * All of it goes through the net: a small copy, such as `survey` makes, is enough. Throws the signal's reason, or what the net throws.
 */
export async function damageCoverage(
  source: Raster,
  { nets, pixels, signal }: { nets: Nets; pixels: PixelPool; signal: AbortSignal },
): Promise<number | null> {
  await nets.ready?.(['mask'], 'BALANCED');
  const net = nets.find('mask', 'BALANCED');
  if (net === undefined) return null;
  const { width, height } = source;
  const mask = createRaster({ width, height, channels: 1, depth: 8 });
  await net.run(source, mask, { controls: {}, signal });
  const parts = await pixels.run('histogram', { source: mask, cell: 1, border: 0 }, { width, height, signal });
  const damaged = parts.reduce((sum, { counts }) => sum + above(counts[0] ?? []), 0);
  return damaged / (width * height);
}

const above = (counts: readonly number[]): number => counts.slice(DAMAGED * BINS).reduce((a, b) => a + b, 0);
