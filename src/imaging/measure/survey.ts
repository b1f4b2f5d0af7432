import { metadataOf } from '../company.ts';
import { openImage, type OpenOptions } from '../decode.ts';
import { decodingBytes, type WhenRoom } from '../decoding-bytes.ts';
import { inspectHeader } from '../inspect.ts';
import { STORED_LIMITS } from '../limits.ts';
import type { PixelPool } from '../pixels/pool.ts';
import type { Raster } from '../raster.ts';
import { readRaster } from '../read-raster.ts';
import { measure, measureTone } from './measure.ts';
import type { Measurements } from './measurements.ts';

/** Longest sides in pixels: of the part in which grain, blur and blocks are looked at, and of the copy for tones and damage. */
const DETAIL = 2048;
const WHOLE = 1024;

/** A large picture in two small ones, which together take a few megabytes whatever its size. */
export interface Survey {
  readonly measurements: Measurements;
  /** All of it, at most 1,024 pixels on the longer side. */
  readonly whole: Raster;
}

export interface SurveyOptions extends OpenOptions {
  readonly signal: AbortSignal;
  readonly pixels: PixelPool;
  readonly whenRoom: WhenRoom;
  readonly fileQuality: number | null;
}

/**
 * Measures a stored picture without holding all of it: its middle at full resolution, where grain, blur and JPEG blocks
 * are what they are, and all of it made smaller, for the tones. For a picture of up to 2,048 pixels a side the same as `measure`
 * but for the tones.
 *
 * @throws AppError for what `inspectHeader` refuses; what `openImage` and `readRaster` throw; the signal's reason.
 */
export async function survey(path: string, format: string, options: SurveyOptions): Promise<Survey> {
  const { limits = STORED_LIMITS, signal, pixels, whenRoom, fileQuality } = options;
  const header = await inspectHeader(path, limits, { signal });
  const { detail, whole, width, height } = await whenRoom(decodingBytes(header), async () => {
    const image = await openImage(path, format, options);
    const { autoOrient } = await metadataOf(image);
    const middle = middleOf(autoOrient.width, autoOrient.height);
    return {
      ...autoOrient,
      detail: await readRaster(image.clone().extract(middle), signal),
      whole: await readRaster(image.clone().resize(WHOLE, WHOLE, { fit: 'inside', withoutEnlargement: true }), signal),
    };
  });
  const close = await measure(detail, { pixels, signal, fileQuality });
  const tones = await measureTone(whole, { pixels, signal });
  return { measurements: { ...close, ...tones, width, height }, whole };
}

/** On the grid of JPEG's blocks. */
function middleOf(width: number, height: number) {
  const start = (length: number): number => Math.max(0, (length - DETAIL) >> 4) << 3;
  return {
    left: start(width),
    top: start(height),
    width: Math.min(width, DETAIL),
    height: Math.min(height, DETAIL),
  };
}
