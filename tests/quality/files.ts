import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { fromSamples, toBytes, type Picture } from './picture.ts';

/** A clean picture: what a perfect restoration would give back. */
export interface Clean {
  /** The file's name without its extension. */
  readonly name: string;
  readonly picture: Picture;
}

const PHOTO = /\.(png|jpe?g|webp|tiff?|avif)$/i;
/** Pixels of a picture of QUALITY's size, 768×512. */
const PIXELS = 768 * 512;

/**
 * How many times smaller a clean picture is made in each direction: the whole number that brings it nearest to 768×512 pixels.
 * Reducing also takes out the noise and the compression of its own.
 */
export function reduction(width: number, height: number): number {
  return Math.max(1, Math.round(Math.sqrt((width * height) / PIXELS)));
}

/** Decodes whatever sharp takes, upright, in sRGB, alpha laid on white. */
export async function decode(source: string | Buffer): Promise<Picture> {
  const { data, info } = await sharp(source)
    .autoOrient()
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return fromSamples(data, info);
}

export async function readClean(path: string): Promise<Picture> {
  const { autoOrient } = await sharp(path).metadata();
  const times = reduction(autoOrient.width, autoOrient.height);
  if (times === 1) return decode(path);
  const reduced = await sharp(path)
    .autoOrient()
    .resize(Math.floor(autoOrient.width / times), Math.floor(autoOrient.height / times), {
      fit: 'fill',
      fastShrinkOnLoad: false,
    })
    .png({ compressionLevel: 0 })
    .toBuffer();
  return decode(reduced);
}

/**
 * The pictures of a folder in the order of their names. In `samples/` only the originals are clean.
 * @throws Error when there is none.
 */
export async function listClean(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder)).filter((file) => PHOTO.test(file)).toSorted();
  const originals = files.filter((file) => /-original\./.test(file));
  const chosen = originals.length > 0 ? originals : files;
  if (chosen.length === 0) throw new Error(`${folder} holds no pictures.`);
  return chosen.map((file) => join(folder, file));
}

const opened = (picture: Picture): Sharp =>
  sharp(toBytes(picture), { raw: { width: picture.width, height: picture.height, channels: 3 } });

export const encodePng = (picture: Picture): Promise<Buffer> => opened(picture).png({ compressionLevel: 1 }).toBuffer();

/** Baseline JPEG with the standard tables; `subsampling` as a camera or a scanner's program chooses it. */
export const encodeJpeg = (picture: Picture, quality: number, chromaSubsampling: '4:2:0' | '4:4:4'): Promise<Buffer> =>
  opened(picture).jpeg({ quality, chromaSubsampling }).toBuffer();

/** Something of sharp's own done to a picture in 8 bits. */
export async function throughSharp(picture: Picture, change: (image: Sharp) => Sharp): Promise<Picture> {
  const { data, info } = await change(opened(picture)).raw().toBuffer({ resolveWithObject: true });
  return fromSamples(data, info);
}
