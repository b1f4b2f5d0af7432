import sharp from 'sharp';
import type { Raster } from './raster.ts';
import { readRaster } from './read-raster.ts';

/**
 * A copy of a raster, smaller or mirrored; alpha is left out.
 *
 * @param shape.shrink each side is divided by it; default 1.
 * @param shape.mirror left becomes right; default false.
 */
export function reducedCopy(
  { data, width, height, channels }: Raster,
  { shrink = 1, mirror = false }: { shrink?: number; mirror?: boolean },
  signal: AbortSignal,
): Promise<Raster> {
  const whole = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  let image = channels === 2 || channels === 4 ? whole.removeAlpha() : whole;
  if (mirror) image = image.flop();
  if (shrink !== 1) {
    const to = (side: number): number => Math.max(1, Math.round(side / shrink));
    image = image.resize(to(width), to(height), { fit: 'fill', kernel: 'cubic' });
  }
  return readRaster(image, signal);
}
