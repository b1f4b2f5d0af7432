import type { ImageFormat } from '../limits.ts';
import type { ByteSource } from './source.ts';

/** What a file's first bytes promise, read without decoding a pixel. */
export interface ImageHeader {
  readonly format: ImageFormat;
  /** Pixels as stored, before the orientation is applied; the largest the file declares anywhere. */
  readonly width: number;
  readonly height: number;
  /** Samples per pixel once decoded. */
  readonly channels: number;
  /** Bits per sample as stored: 1 to 64. */
  readonly bitsPerSample: number;
  /** Frames or pages; counting stops one above the cap. */
  readonly frames: number;
  /** Whether the picture is put together from others (an AVIF grid). Default false. */
  readonly tiled?: boolean;
  /** Whether a decoder can hold less than all of it at a time. Default false. */
  readonly inStrips?: boolean;
}

/** Called as soon as the size is known, so that nothing is counted or unpacked for a picture that is refused anyway. */
export type SizeCheck = (size: Pick<ImageHeader, 'width' | 'height' | 'channels' | 'bitsPerSample'>) => void;

/**
 * Reads one format's header in bounded time and memory, whatever the bytes are.
 *
 * @param maxFrames Counting frames stops above this; 0 = no cap.
 * @throws AppError CORRUPT_IMAGE, UNSUPPORTED_IMAGE or IMAGE_TOO_LARGE.
 */
export type HeaderReader = (source: ByteSource, checkSize: SizeCheck, maxFrames: number) => Promise<ImageHeader>;
