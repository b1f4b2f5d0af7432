import { openImage, type OpenOptions } from './decode.ts';
import { rasterBytes, type WhenRoom } from './decoding-bytes.ts';
import { inspectHeader } from './inspect.ts';
import { STORED_LIMITS } from './limits.ts';
import type { Raster } from './raster.ts';
import { readRaster } from './read-raster.ts';

/**
 * Opens and decodes a stored picture completely.
 *
 * @param format as `inspectImage` named it.
 * @throws AppError for what `inspectHeader` refuses; what `openImage` and `readRaster` throw.
 */
export async function readPicture(
  path: string,
  format: string,
  options: OpenOptions & { readonly signal: AbortSignal; readonly whenRoom?: WhenRoom | undefined },
): Promise<Raster> {
  const { limits = STORED_LIMITS, signal, whenRoom } = options;
  const decode = async (): Promise<Raster> => readRaster(await openImage(path, format, options), signal);
  if (whenRoom === undefined) return decode();
  return whenRoom(rasterBytes(await inspectHeader(path, limits, { signal })), decode);
}
