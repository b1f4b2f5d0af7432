import { decodingBytes, type WhenRoom } from './decoding-bytes.ts';
import type { ImageHeader } from './header/header.ts';
import { HEADER_READERS } from './header/index.ts';
import { SNIFF_BYTES, sniffFormat } from './header/sniff.ts';
import { openSource } from './header/source.ts';
import { decodeFully } from './full-decode.ts';
import { FORMATS, type ImageFormat, type ImageLimits } from './limits.ts';
import type { Placeholder } from './placeholder.ts';
import { tooLarge, unsupported } from './refusals.ts';
import { sizeCheck } from './size-check.ts';

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
  /** Nobody else works on a picture in this process. Default false. */
  readonly alone?: boolean;
  /** Default: at once. */
  readonly whenRoom?: WhenRoom;
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
