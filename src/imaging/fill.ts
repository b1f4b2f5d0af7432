import type { PixelPool } from './pixels/pool.ts';
import { cloneRaster, colourChannels, createRaster, type Raster } from './raster.ts';

/** 8-bit levels under which the coefficients of the blocks are dropped, pass by pass. */
const THRESHOLDS = [25, 12, 6] as const;
const STEP = 4;

export interface FillOptions {
  readonly pixels: PixelPool;
  /** 0 leaves the picture as it is, 1 fills it wholly. */
  readonly share: number;
  readonly signal: AbortSignal;
  readonly onProgress: (done: number) => void;
}

/**
 * Fills what a mask covers from what is around it; the rest, and alpha, stay as they are. First with the smoothest surface that
 * continues values and slopes, from smaller copies of the picture on, then by sparsity in overlapping blocks, which carries edges and
 * textures across. Every pass writes into a second picture, so
 * that the tiles do not depend on each other.
 *
 * @param mask one channel of 8 bits, of the picture's size: what is half grey or lighter is filled, what is darker is mixed.
 */
export async function fillMasked(source: Raster, mask: Raster, options: FillOptions): Promise<Raster> {
  const { pixels, signal, onProgress, share } = options;
  const { width, height } = source;
  const area = { width, height, tileWidth: 128, tileHeight: 128, signal };
  let now: Raster = await fillSmoothly(source, mask, { pixels, signal });
  onProgress(0.5);
  let next = await cloneRaster(now);
  for (const [pass, threshold] of THRESHOLDS.entries()) {
    await pixels.run('fillSparse', { source: now, target: next, mask, threshold, step: STEP }, area);
    [now, next] = [next, now];
    onProgress(0.5 + (0.4 * (pass + 1)) / THRESHOLDS.length);
  }
  await pixels.run('blendMasked', { source, target: now, mask, share }, { width, height, signal });
  return now;
}

/** Fills what is unknown of `source`, at first on a picture of half the size: a hole that is wide here is narrow there. */
async function fillSmoothly(
  source: Raster,
  mask: Raster,
  options: Pick<FillOptions, 'pixels' | 'signal'>,
): Promise<Raster> {
  const { pixels, signal } = options;
  const { width, height, depth } = source;
  const guess = await cloneRaster(source);
  if (width === 1 && height === 1) return guess;
  const half = { width: Math.ceil(width / 2), height: Math.ceil(height / 2) };
  const shrunk = createRaster({ ...half, channels: colourChannels(source), depth });
  const shrunkMask = createRaster({ ...half, channels: 1, depth: 8 });
  const known = { source, mask, target: shrunk, targetMask: shrunkMask };
  const unknown = await pixels.run('shrinkKnown', known, { ...half, signal });
  const coarse = unknown.some((count) => count > 0) ? await fillSmoothly(shrunk, shrunkMask, options) : shrunk;
  await pixels.run('fillFromCoarse', { target: guess, mask, coarse }, { width, height, signal });
  const target = await cloneRaster(guess);
  await pixels.run('fillBiharmonic', { source: guess, target, mask }, { width, height, signal });
  return target;
}
