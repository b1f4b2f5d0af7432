import sharp, { type Sharp } from 'sharp';
import { AppError } from '../errors.ts';
import { statsOf } from './company.ts';
import { openImage, type OpenOptions } from './decode.ts';
import { UNKNOWN } from './pixels/fill-coarse.ts';
import type { Raster } from './raster.ts';
import { readRaster } from './read-raster.ts';
import { writePicture } from './write.ts';

/** Whether damage is looked for and filled. */
export const REPAIRS = ['AUTO', 'OFF', 'FORCE'] as const;
export type Repair = (typeof REPAIRS)[number];

/** A mask whose channels differ by more 8-bit levels than this is in colour; JPEG makes differences of a few. */
const MOST_COLOUR = 40;
/** Levels from which a pixel counts as damaged; a brush with a soft rim goes below. */
export const DAMAGED = 128;
/** Share of a picture that may be filled: beyond it there is too little left to fill it from. */
export const MOST_OWN_COVERAGE = 0.25;
/** The same with everything that is not black: a soft rim is not filled from, either. */
const MOST_TOUCHED = 0.4;

const FIELD = { field: 'input.options.mask' } as const;
const refused = (message: string): AppError => new AppError('BAD_USER_INPUT', message, FIELD);

/** What a stored mask is known by. */
export interface MaskFile {
  /** Pixels, those of the photo as displayed. */
  readonly width: number;
  readonly height: number;
  readonly bytes: number;
  /** Share of the picture that it marks, 0–1. */
  readonly coverage: number;
}

/** Largest difference between two colour channels, 8-bit levels. */
async function colourOf(image: Sharp): Promise<number> {
  // Each row clips at zero, so the three together have the difference of every pair of neighbours in the circle.
  const differences = image.recomb([
    [1, -1, 0],
    [0, 1, -1],
    [-1, 0, 1],
  ]);
  const { data, info } = await differences.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const { channels: stats } = await statsOf(sharp(data, { raw: { width, height, channels }, limitInputPixels: false }));
  return Math.max(...stats.map(({ max }) => max));
}

/** Share of the pixels from a level on; by default those that count as damaged. */
async function coverageOf(
  grey: { data: Uint8Array; width: number; height: number },
  level: number = DAMAGED,
): Promise<number> {
  const { data, width, height } = grey;
  const { data: marked, info } = await sharp(data, { raw: { width, height, channels: 1 }, limitInputPixels: false })
    .threshold(level)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const raw = { width, height, channels: info.channels };
  const { channels } = await statsOf(sharp(marked, { raw, limitInputPixels: false }));
  return (channels[0]?.mean ?? 0) / 255;
}

/**
 * Takes a mask that somebody has drawn (white = damage, what is transparent is none), checks it, and writes it anew to
 * `path`, as an 8-bit grey PNG without metadata.
 *
 * @param source a picture that inspection has accepted.
 * @param photo pixels as displayed; the mask must have the same.
 * @throws AppError BAD_USER_INPUT, which says what is wrong with it; what `openImage` throws; the signal's reason.
 */
export async function takeMask(
  source: { readonly path: string; readonly format: string; readonly width: number; readonly height: number },
  photo: { readonly width: number; readonly height: number },
  path: string,
  options: OpenOptions = {},
): Promise<MaskFile> {
  if (source.width !== photo.width || source.height !== photo.height) {
    throw refused(
      `The mask is ${source.width} × ${source.height} pixels, the photo ${photo.width} × ${photo.height} as displayed. They must be the same.`,
    );
  }
  const image = await openImage(source.path, source.format, options);
  const flat = image.flatten({ background: '#000000' }).toColourspace('srgb');
  if ((await colourOf(flat.clone())) > MOST_COLOUR) {
    throw refused('The mask is in colour. Paint damage white on black, and save it as a grey picture.');
  }
  options.signal?.throwIfAborted();
  const { data, info } = await flat.toColourspace('b-w').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const grey = { data, width: info.width, height: info.height };
  const coverage = await coverageOf(grey);
  if (coverage === 0) {
    throw refused('The mask marks nothing. Paint damage white, or ask for no repair with repair: OFF.');
  }
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  if (coverage > MOST_OWN_COVERAGE) {
    throw refused(
      `The mask marks ${percent(coverage)} of the photo; at most ${percent(MOST_OWN_COVERAGE)} can be filled. Damage is white, everything else black.`,
    );
  }
  const touched = await coverageOf(grey, UNKNOWN);
  if (touched > MOST_TOUCHED) {
    throw refused(
      `The mask is not black on ${percent(touched)} of the photo; at most ${percent(MOST_TOUCHED)} may be grey or white. Damage is white, everything else black.`,
    );
  }
  options.signal?.throwIfAborted();
  return { ...(await writeGrey(grey, path)), coverage };
}

async function writeGrey(
  { data, width, height }: { data: Uint8Array; width: number; height: number },
  path: string,
): Promise<Omit<MaskFile, 'coverage'>> {
  const image = sharp(data, { raw: { width, height, channels: 1 }, limitInputPixels: false }).toColourspace('b-w');
  const { size } = await writePicture(image.png({ compressionLevel: 6 }), path);
  return { width, height, bytes: size };
}

/** Writes a mask that a repair has used to `path`: an 8-bit grey PNG. @throws as `writePicture`. */
export async function writeMask(mask: Raster, path: string): Promise<MaskFile> {
  const grey = { data: mask.data as Uint8Array, width: mask.width, height: mask.height };
  return { ...(await writeGrey(grey, path)), coverage: await coverageOf(grey) };
}

/** Reads a mask that `takeMask` or `writeMask` has written. @throws sharp's error for a file that does not decode. */
export async function readMask(path: string, signal?: AbortSignal): Promise<Raster> {
  return readRaster(await openImage(path, 'png', signal === undefined ? {} : { signal }), signal);
}
