import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { openImage } from './decode.ts';
import { DECODE_SECONDS, type ImageLimits } from './limits.ts';
import { writePicture } from './write.ts';

/** Longest side of each rendition in pixels, and how hard the WebP encoder tries. */
export const RENDITIONS = {
  THUMBNAIL: { side: 150, effort: 2 },
  PREVIEW: { side: 400, effort: 2 },
  MEDIUM: { side: 600, effort: 2 },
  LARGE: { side: 1200, effort: 2 },
  // Four times faster than the encoder's default for a tenth more bytes: at this size the encoder is the whole cost.
  ORIGINAL: { side: 4096, effort: 0 },
} as const;

export type RenditionName = keyof typeof RENDITIONS;

/** A rendition that was written. */
export interface RenditionFile {
  readonly name: RenditionName;
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** A new file in the folder that was given; the caller moves or deletes it. */
  readonly path: string;
}

export interface RenditionOptions {
  /** WebP quality, 1 to 100. Default 85. */
  readonly quality?: number;
  /** Default `STORED_LIMITS`. */
  readonly limits?: ImageLimits;
  readonly signal?: AbortSignal;
}

const shrink = (image: Sharp, side: number) =>
  image.resize(side, side, { fit: 'inside', withoutEnlargement: true }).toColourspace('srgb');

/**
 * Makes WebP renditions of a stored picture: upright, 8-bit sRGB (grey and transparency kept), never enlarged,
 * without any metadata.
 *
 * The picture is decoded once at the largest small size asked for and the smaller ones are made from those
 * pixels; ORIGINAL is made from the file by itself.
 *
 * @param format As `inspectImage` named it.
 * @param folder An existing folder for the files.
 * @returns One entry per name, in the order asked for. On any failure nothing is left in the folder.
 * @throws What `openImage` throws, sharp's error for a file that does not decode, the signal's reason.
 */
export async function makeRenditions(
  sourcePath: string,
  format: string,
  names: readonly RenditionName[],
  folder: string,
  options: RenditionOptions = {},
): Promise<RenditionFile[]> {
  const { quality = 85, signal, limits } = options;
  const opening = { ...(limits === undefined ? {} : { limits }), ...(signal === undefined ? {} : { signal }) };
  const done: RenditionFile[] = [];
  const paths: string[] = [];

  async function write(name: RenditionName, image: Sharp): Promise<void> {
    const path = join(folder, `${randomUUID()}.webp`);
    paths.push(path);
    const { effort } = RENDITIONS[name];
    const { width, height, size } = await writePicture(image.webp({ quality, effort }), path);
    signal?.throwIfAborted();
    done.push({ name, width, height, bytes: size, path });
  }

  try {
    const small = names
      .filter((name) => name !== 'ORIGINAL')
      .toSorted((a, b) => RENDITIONS[b].side - RENDITIONS[a].side);
    const largest = small[0];
    if (largest !== undefined) {
      const source = await openImage(sourcePath, format, opening);
      const pixels = await shrink(source, RENDITIONS[largest].side)
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      const { width, height, channels } = pixels.info;
      for (const name of small) {
        signal?.throwIfAborted();
        const image = sharp(pixels.data, { raw: { width, height, channels } }).timeout({ seconds: DECODE_SECONDS });
        await write(name, shrink(image, RENDITIONS[name].side));
      }
    }
    if (names.includes('ORIGINAL')) {
      await write('ORIGINAL', shrink(await openImage(sourcePath, format, opening), RENDITIONS.ORIGINAL.side));
    }
    return names.flatMap((name) => done.find((file) => file.name === name) ?? []);
  } catch (error) {
    await Promise.all(paths.map((path) => rm(path, { force: true })));
    throw error;
  }
}
