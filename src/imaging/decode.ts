import { open, readFile } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { readBmp } from './bmp.ts';
import { metadataOf } from './company.ts';
import { DECODE_SECONDS, STORED_LIMITS, pixelLimit, type ImageLimits } from './limits.ts';

export interface OpenOptions {
  /** Default `STORED_LIMITS`; a file that breaks them makes the first read fail. */
  readonly limits?: ImageLimits;
  readonly signal?: AbortSignal;
  /**
   * How forgiving the decoder is. Default `'error'`: what `inspectImage` accepted decodes again, a file that
   * was cut or damaged since does not.
   */
  readonly failOn?: 'truncated' | 'error' | 'warning';
  /** Turn the picture upright by its EXIF orientation. Default true. */
  readonly autoOrient?: boolean;
}

/** The brand by which libvips knows an AVIF, and where it stands. */
export const BRAND = 'avif';
export const BRAND_AT = 8;

/**
 * What sharp opens for a stored picture: its path, but the bytes of an AVIF whose first brand is another one
 * (`avis`, an animation), which libvips would not know for an AVIF; it is given the brand of a still one.
 */
async function inputOf(path: string, format: string): Promise<string | Buffer> {
  if (format !== 'avif') return path;
  const brand = Buffer.alloc(BRAND.length);
  await using file = await open(path, 'r');
  await file.read(brand, 0, brand.length, BRAND_AT);
  if (brand.equals(Buffer.from(BRAND))) return path;
  const bytes = await readFile(path);
  bytes.write(BRAND, BRAND_AT, 'latin1');
  return bytes;
}

/**
 * A sharp instance on the first frame of a stored original, upright, under the limits and a time limit of
 * 15 s per output; what comes out of it is sRGB or grey. Nothing is decoded yet, except for BMP, which libvips
 * cannot read and which is decoded here.
 *
 * @param source The format as `inspectImage` named it, or its whole `ImageInfo`.
 * @throws AppError CORRUPT_IMAGE, UNSUPPORTED_IMAGE or IMAGE_TOO_LARGE for a BMP that cannot be read; sharp's own
 *   error for another file whose header cannot be read; the signal's reason.
 */
export async function openImage(
  path: string,
  source: string | { readonly format: string },
  options: OpenOptions = {},
): Promise<Sharp> {
  const { limits = STORED_LIMITS, signal, failOn = 'error', autoOrient = true } = options;
  signal?.throwIfAborted();
  const limitInputPixels = pixelLimit(limits);
  const format = typeof source === 'string' ? source : source.format;
  if (format === 'bmp') {
    const { data, width, height, channels } = await readBmp(path, limits, signal === undefined ? {} : { signal });
    return sharp(data, { raw: { width, height, channels }, limitInputPixels }).timeout({ seconds: DECODE_SECONDS });
  }
  const input = await inputOf(path, format);
  const image = sharp(input, { failOn, limitInputPixels, autoOrient, sequentialRead: true, pages: 1 });
  const { space, hasProfile } = await metadataOf(image);
  signal?.throwIfAborted();
  // sharp turns profiled 16-bit colour into P3 and leaves it there, unlabelled; this takes it on to sRGB.
  if (space === 'rgb16' && hasProfile) image.withIccProfile('srgb', { attach: false });
  return image.timeout({ seconds: DECODE_SECONDS });
}
