import { readFile, stat, writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { metadataOf } from '../company.ts';
import type { EncodedResult, EncodeOptions, ResultFormat } from '../encode.ts';
import { FORMATS } from '../limits.ts';
import { metadataFrom, type CarriedMetadata } from '../metadata.ts';
import { exifChunk, pngWithMetadata, webpWithMetadata } from './chunks.ts';
import { exifSegment, jpegWithMetadata } from './jpeg.ts';

interface Container {
  /** The file with the same compressed pixels and only this metadata; null where that cannot be done. */
  rewrite(file: Buffer, exif: Buffer | null, keepDensity: boolean): Buffer | null;
  exifOf(file: Buffer): Buffer | null;
}

const CONTAINERS: Readonly<Record<ResultFormat, Container>> = {
  jpeg: { rewrite: jpegWithMetadata, exifOf: exifSegment },
  png: { rewrite: pngWithMetadata, exifOf: (file) => exifChunk(file, 'png') },
  webp: { rewrite: webpWithMetadata, exifOf: (file) => exifChunk(file, 'webp') },
};

/**
 * Writes the file of a photo that nothing was done to, to `path`: the same compressed pixels with the metadata that the policy lets
 * through, so that nothing is lost to a second compression. Whatever else the file carries goes; a colour profile stays.
 *
 * @returns null, and nothing is written, where another format or quality was asked for, or where the file holds what a result does not
 *   (an animation, inks in place of colours, pixels that are not upright), or XMP that is to be kept: then it has to be encoded.
 */
export async function writeUnchanged(options: EncodeOptions, path: string): Promise<EncodedResult | null> {
  const { original, outputFormat = 'ORIGINAL', quality, metadataPolicy = 'STRIP_PRIVATE', signal } = options;
  const { format } = original;
  if (!isResultFormat(format) || quality !== undefined) return null;
  if (outputFormat !== 'ORIGINAL' && outputFormat.toLowerCase() !== format) return null;
  const found = await metadataOf(sharp(original.path, { limitInputPixels: false }));
  signal?.throwIfAborted();
  if (found.space === 'cmyk' || (found.pages ?? 1) > 1 || (found.orientation ?? 1) !== 1) return null;
  const carried = await metadataFrom(original.path, metadataPolicy);
  if (carried.xmp !== undefined) return null;
  const container = CONTAINERS[format];
  const file = await readFile(original.path, { signal });
  const exif = await encodedExif(carried, format);
  const bytes = exif === undefined ? null : container.rewrite(file, exif, carried.density !== undefined);
  if (bytes === null) return null;
  await writeFile(path, bytes, { signal });
  const { size } = await stat(path);
  const { width, height } = found;
  return { format, mimeType: FORMATS[format].mimeType, width, height, bytes: size };
}

/**
 * The metadata as a piece of a file, or null for none; sharp writes it, with a picture of one pixel that is thrown away.
 * Undefined where it does not.
 */
async function encodedExif(
  { exif, density }: CarriedMetadata,
  format: ResultFormat,
): Promise<Buffer | null | undefined> {
  if (exif === undefined) return null;
  const dot = sharp({ create: { width: 1, height: 1, channels: 3, background: '#000' } });
  const image = dot.withExif(exif).withMetadata(density === undefined ? {} : { density });
  return CONTAINERS[format].exifOf(await image.toFormat(format).toBuffer()) ?? undefined;
}

function isResultFormat(format: string): format is ResultFormat {
  return Object.hasOwn(CONTAINERS, format);
}
