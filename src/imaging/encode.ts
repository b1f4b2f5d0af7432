import { stat } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { AppError } from '../errors.ts';
import { FORMATS, type ImageFormat } from './limits.ts';
import { metadataFrom, withCarriedMetadata, type MetadataPolicy } from './metadata.ts';
import { readRaster } from './read-raster.ts';
import { writePicture } from './write.ts';

export const OUTPUT_FORMATS = ['ORIGINAL', 'JPEG', 'PNG', 'WEBP'] as const;
/** `ORIGINAL` keeps JPEG, PNG and WebP; TIFF, BMP and GIF become PNG, AVIF becomes WebP. */
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export type ResultFormat = 'jpeg' | 'png' | 'webp';

/** Pixels to be written: sRGB or grey, upright, alpha last and not premultiplied. A `Raster` is one. */
export interface Pixels {
  readonly data: Uint8Array | Uint16Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  /** Bits per sample. */
  readonly depth: 8 | 16;
}

export interface EncodeOptions {
  /** The photo that the result was made from: the source of its metadata and of `ORIGINAL`. */
  readonly original: { readonly path: string; readonly format: string };
  /** Default `ORIGINAL`. */
  readonly outputFormat?: OutputFormat;
  /** 1 to 100, for JPEG (default 92, without chroma subsampling) and WebP (default 90); PNG loses nothing anyway. */
  readonly quality?: number;
  /** Default `STRIP_PRIVATE`. */
  readonly metadataPolicy?: MetadataPolicy;
  readonly signal?: AbortSignal;
}

export interface EncodedResult {
  readonly format: ResultFormat;
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
}

const DEFAULT_FORMAT: Readonly<Record<ImageFormat, ResultFormat>> = {
  jpeg: 'jpeg',
  png: 'png',
  webp: 'webp',
  tiff: 'png',
  bmp: 'png',
  gif: 'png',
  avif: 'webp',
};

const CHOSEN_FORMAT: Readonly<Record<string, ResultFormat>> = { JPEG: 'jpeg', PNG: 'png', WEBP: 'webp' };

interface Encoder {
  /** Longest side that the format can hold, in pixels. */
  readonly maxSide: number;
  readonly deep: boolean;
  encode(image: Sharp, quality: number | undefined): Sharp;
}

const ENCODERS: Readonly<Record<ResultFormat, Encoder>> = {
  jpeg: {
    maxSide: 65_500,
    deep: false,
    // Optimised Huffman tables would take 2 % off the file for three times the time and 12 bytes of memory for every pixel.
    encode: (image, quality = 92) =>
      image.flatten({ background: '#ffffff' }).jpeg({ quality, chromaSubsampling: '4:4:4', optimizeCoding: false }),
  },
  png: { maxSide: 2 ** 31 - 1, deep: true, encode: (image) => image.png({ compressionLevel: 6 }) },
  webp: { maxSide: 16_383, deep: false, encode: (image, quality = 90) => image.webp({ quality, effort: 2 }) },
};

const isFormat = (format: string): format is ImageFormat => Object.hasOwn(FORMATS, format);

/**
 * The format a result is written in. A WebP too large for the format becomes PNG, unless WEBP was asked for.
 *
 * @param originalFormat of the photo, as inspection named it.
 * @param side the longer one of the result, in pixels.
 * @throws AppError BAD_USER_INPUT when the format that was asked for cannot hold so many pixels.
 */
export function resultFormat(outputFormat: OutputFormat, originalFormat: string, side: number): ResultFormat {
  const chosen = CHOSEN_FORMAT[outputFormat];
  const format = chosen ?? (isFormat(originalFormat) ? DEFAULT_FORMAT[originalFormat] : 'png');
  if (side <= ENCODERS[format].maxSide) return format;
  if (chosen === undefined) return 'png';
  const most = ENCODERS[format].maxSide;
  throw new AppError(
    'BAD_USER_INPUT',
    `The result is ${side} pixels long; ${outputFormat} can hold ${most}. Choose PNG or a smaller upscale.`,
    { field: 'input.options.outputFormat' },
  );
}

/**
 * Writes a restoration's result to `path`.
 *
 * The pixels are taken as sRGB (or grey) and upright; no orientation tag and no colour profile is written.
 * 16 bits survive in PNG only, transparency becomes white in JPEG.
 *
 * @param picture Pixels, or a sharp pipeline that yields them.
 * @throws AppError BAD_USER_INPUT when the chosen format cannot hold so many pixels; the signal's reason.
 */
export async function encodeResult(
  picture: Pixels | Sharp,
  options: EncodeOptions,
  path: string,
): Promise<EncodedResult> {
  const { original, outputFormat = 'ORIGINAL', quality, metadataPolicy = 'STRIP_PRIVATE', signal } = options;
  signal?.throwIfAborted();
  const { data, width, height, channels, depth } = 'data' in picture ? picture : await readRaster(picture, signal);
  const format = resultFormat(outputFormat, original.format, Math.max(width, height));
  const carried = await metadataFrom(original.path, metadataPolicy);
  signal?.throwIfAborted();
  const encoder = ENCODERS[format];
  const deep = encoder.deep && depth === 16;
  const grey = channels < 3;
  const bare = sharp(data, { raw: { width, height, channels }, limitInputPixels: false }).toColourspace(
    grey ? (deep ? 'grey16' : 'b-w') : deep ? 'rgb16' : 'srgb',
  );
  await writePicture(withCarriedMetadata(encoder.encode(bare, quality), carried), path);
  signal?.throwIfAborted();
  const { size } = await stat(path);
  return { format, mimeType: FORMATS[format].mimeType, width, height, bytes: size };
}
