import type { Metadata } from 'sharp';
import { AppError, isAbortError } from '../errors.ts';
import { decodeTiles } from './avif-tiles.ts';
import { decodingBytes, type WhenRoom } from './decoding-bytes.ts';
import { openImage } from './decode.ts';
import type { ImageHeader } from './header/header.ts';
import { HEADER_READERS } from './header/index.ts';
import { SNIFF_BYTES, sniffFormat } from './header/sniff.ts';
import { openSource } from './header/source.ts';
import { FORMATS, type ImageFormat, type ImageLimits } from './limits.ts';
import { sizeCheck } from './size-check.ts';
import { PLACEHOLDER_SIDE, placeholderOf, type Placeholder } from './placeholder.ts';
import { damaged, tooLarge, unsupported } from './refusals.ts';

/** What is known of an accepted picture. */
export interface ImageInfo extends Placeholder {
  readonly format: ImageFormat;
  readonly mimeType: string;
  /** Pixels as displayed, after the orientation was applied. */
  readonly width: number;
  readonly height: number;
  /** EXIF orientation as stored, 1 to 8; 1 where there is none. */
  readonly orientation: number;
  /** Bits per sample once decoded. */
  readonly bitDepth: 8 | 16;
  readonly hasAlpha: boolean;
  readonly isGrey: boolean;
  /** Frames or pages in the file; only the first is ever used. */
  readonly frames: number;
  /** Whether the file carries a colour profile. */
  readonly hasProfile: boolean;
}

export interface InspectOptions {
  readonly signal?: AbortSignal;
  /** Default: at once. */
  readonly whenRoom?: WhenRoom;
}

interface Decoded {
  readonly metadata: Metadata;
  readonly placeholder: Placeholder;
}

/**
 * The first judge: decides by the bytes alone, reads headers only, decodes nothing. Costs a few reads and no
 * memory worth the name, whatever the file is.
 *
 * @throws AppError UNSUPPORTED_IMAGE for what is not taken (with advice), IMAGE_TOO_LARGE for pixels, sides,
 *   decoded bytes, frames or packed metadata over the limits, CORRUPT_IMAGE for headers that make no sense.
 */
export async function inspectHeader(
  path: string,
  limits: ImageLimits,
  options: InspectOptions = {},
): Promise<ImageHeader> {
  await using source = await openSource(path, options.signal);
  const format = sniffFormat(await source.read(0, SNIFF_BYTES));
  const { mimeType, label } = FORMATS[format];
  if (limits.allowedMimeTypes.length > 0 && !limits.allowedMimeTypes.includes(mimeType)) {
    throw unsupported(`${label} pictures are not taken here. Send one of: ${limits.allowedMimeTypes.join(', ')}.`);
  }
  const checkSize = sizeCheck(limits);
  const maxFrames = (format === 'tiff' ? limits.maxPages : limits.maxFrames) ?? 0;
  const header = await HEADER_READERS[format](source, checkSize, maxFrames);
  if (maxFrames > 0 && header.frames > maxFrames) {
    const unit = format === 'tiff' ? 'pages' : 'frames';
    throw tooLarge(`The file holds more than ${maxFrames} ${unit}. Upload the one picture you want restored.`);
  }
  return header;
}

/**
 * What libjpeg and libtiff say about files that cameras, phones and scanners write and every viewer shows whole:
 * odd scan parameters and revisions, stray bytes between header segments or after the last pixel, sloppy
 * directories. Stray bytes between scans (before DHT or SOS) mean damage.
 */
const HARMLESS = [
  /^(Warning treated as error due to failOn setting|error in tile \d+ x \d+)$/,
  /^(VipsJpeg: )?Invalid SOS parameters for sequential JPEG$/,
  /^(VipsJpeg: )?Corrupt JPEG data: \d+ extraneous bytes before marker 0x(d9|db|dd|c0|c1|c2|e[0-9a-f]|fe)$/,
  /^(VipsJpeg: )?Warning: unknown JFIF revision number [\d.]+$/,
  /^ASCII value for (ASCII array )?tag ".*" (does not end in null byte|contains null byte in value)/,
  /^Invalid TIFF directory; tags are not sorted in ascending order$/,
  /^Sum of Photometric type-related color channels and ExtraSamples doesn't match SamplesPerPixel/,
  /^TIFF directory is missing required "StripByteCounts" field, calculating from imagelength$/,
  /^(Unknown field with tag \d+ .*encountered|Incorrect count for ".*"|Ignoring tag ".*")/,
];

function harmless(error: unknown): boolean {
  const lines = error instanceof Error ? error.message.split('\n').filter((line) => line.trim() !== '') : [];
  return lines.length > 0 && lines.every((line) => HARMLESS.some((pattern) => pattern.test(line.trim())));
}

/** The refusal for what a decoder said; its words are the cause, for the log. */
function refusal(error: unknown, format: ImageFormat): unknown {
  if (error instanceof AppError || isAbortError(error)) return error;
  const message = error instanceof Error ? error.message : '';
  const { label } = FORMATS[format];
  if (/pixel limit|too many scans|dimension.*too large|[Ss]ecurity limit/.test(message)) {
    return tooLarge(`This ${label} picture is larger than it says. Make it smaller and upload it again.`, error);
  }
  if (/timeout/i.test(message)) {
    return tooLarge(`This ${label} picture takes too long to decode. Save it again in a simpler way and retry.`, error);
  }
  if (
    /not (configured|implemented|supported)|samples out of range|unsupported (?!image format)|Unsupported (feature|codec)|bad labq|no known route|not a whole number of bytes/.test(
      message,
    )
  ) {
    return unsupported(
      `This kind of ${label} file cannot be read here. Save it as PNG or JPEG and upload that.`,
      error,
    );
  }
  return damaged(label, error);
}

async function decodeOnce(
  path: string,
  header: ImageHeader,
  limits: ImageLimits,
  failOn: 'warning' | 'error',
  signal?: AbortSignal,
) {
  const options = { limits, failOn, ...(signal === undefined ? {} : { signal }) };
  const image = await openImage(path, header, options);
  const metadata = await image.metadata();
  sizeCheck(limits)({ ...metadata, bitsPerSample: metadata.depth === 'uchar' ? 8 : 16 });
  const { data, info } = await image
    .resize(PLACEHOLDER_SIDE, PLACEHOLDER_SIDE, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { metadata, placeholder: placeholderOf(data, info.width, info.height) };
}

/**
 * The second judge: decodes the first frame once, completely, in strips that end in a tiny picture.
 *
 * Any warning refuses, so that a cut or damaged file is never taken as a half-grey photo. The few warnings of
 * `HARMLESS` are let through, and then errors and cuts still refuse. Bytes after the end of a complete picture
 * are ignored.
 *
 * @param header From `inspectHeader`, which must have accepted the file.
 * @throws AppError CORRUPT_IMAGE, IMAGE_TOO_LARGE (more than the header promised, or over 15 s) or
 *   UNSUPPORTED_IMAGE (a variant the decoder does not know); the signal's reason.
 */
async function decodeFully(
  path: string,
  header: ImageHeader,
  limits: ImageLimits,
  options: InspectOptions = {},
): Promise<Decoded> {
  const { signal } = options;
  const decoded = await decodeOnce(path, header, limits, 'warning', signal)
    .catch((error: unknown) => {
      if (!harmless(error)) throw error;
      return decodeOnce(path, header, limits, 'error', signal);
    })
    .then(async (whole) => {
      if (header.tiled === true) await decodeTiles(path, limits, signal);
      return whole;
    })
    .catch((error: unknown) => {
      throw refusal(error, header.format);
    });
  signal?.throwIfAborted();
  return decoded;
}

/**
 * The only judge of an uploaded picture: header first, then one full decode.
 *
 * Animations and documents of several pages count as their first frame. A decode under way cannot be stopped:
 * after an abort its result is thrown away.
 *
 * @throws AppError as `inspectHeader` and `decodeFully` do; the signal's reason.
 */
export async function inspectImage(
  path: string,
  limits: ImageLimits,
  options: InspectOptions = {},
): Promise<ImageInfo> {
  const header = await inspectHeader(path, limits, options);
  const { whenRoom = (_bytes, decode) => decode() } = options;
  const { metadata, placeholder } = await whenRoom(decodingBytes(header), () =>
    decodeFully(path, header, limits, options),
  );
  const turned = metadata.autoOrient;
  return {
    format: header.format,
    mimeType: FORMATS[header.format].mimeType,
    width: turned.width,
    height: turned.height,
    orientation: metadata.orientation ?? 1,
    bitDepth: metadata.depth === 'uchar' ? 8 : 16,
    hasAlpha: metadata.hasAlpha,
    isGrey: metadata.space === 'b-w' || metadata.space === 'grey16',
    frames: header.frames,
    hasProfile: metadata.hasProfile,
    ...placeholder,
  };
}
