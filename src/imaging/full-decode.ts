import type { Metadata } from 'sharp';
import { AppError, isAbortError } from '../errors.ts';
import { decodeTiles } from './avif-tiles.ts';
import { metadataOf, watchCompany, type Company } from './company.ts';
import { openImage } from './decode.ts';
import type { ImageHeader } from './header/header.ts';
import { FORMATS, type ImageFormat, type ImageLimits } from './limits.ts';
import { PLACEHOLDER_SIDE, placeholderOf, type Placeholder } from './placeholder.ts';
import { damaged, tooLarge, unsupported } from './refusals.ts';
import { secondOpinion } from './second-opinion.ts';
import { sizeCheck } from './size-check.ts';

export interface FullDecodeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Nobody else works on a picture in this process, and no other one is to be asked. Default false. */
  readonly alone?: boolean | undefined;
}

export interface Decoded {
  readonly metadata: Metadata;
  readonly placeholder: Placeholder;
}

/**
 * What libjpeg and libtiff say about files that cameras, phones and scanners write and every viewer shows whole:
 * odd scan parameters and revisions, stray bytes between header segments or after the last pixel, sloppy
 * directories. Stray bytes between scans (before DHT or SOS) mean damage.
 */
const HARMLESS = [
  /^(VipsJpeg: )?Invalid SOS parameters for sequential JPEG$/,
  /^(VipsJpeg: )?Corrupt JPEG data: \d+ extraneous bytes before marker 0x(d9|db|dd|c0|c1|c2|e[0-9a-f]|fe)$/,
  /^(VipsJpeg: )?Warning: unknown JFIF revision number [\d.]+$/,
  /^ASCII value for (ASCII array )?tag ".*" (does not end in null byte|contains null byte in value)/,
  /^Invalid TIFF directory; tags are not sorted in ascending order$/,
  /^Sum of Photometric type-related color channels and ExtraSamples doesn't match SamplesPerPixel/,
  /^TIFF directory is missing required "StripByteCounts" field, calculating from imagelength$/,
  /^(Unknown field with tag \d+ .*encountered|Incorrect count for ".*"|Ignoring tag ".*")/,
];
/** What stands beside any warning and says nothing by itself. */
const EMPTY = /^(Warning treated as error due to failOn setting|error in tile \d+ x \d+)$/;

function harmless(error: unknown): boolean {
  const lines = error instanceof Error ? error.message.split('\n').map((line) => line.trim()) : [];
  const telling = lines.filter((line) => line !== '' && !EMPTY.test(line));
  return telling.length > 0 && telling.every((line) => HARMLESS.some((pattern) => pattern.test(line)));
}

/** The refusal for what a decoder said; its words are the cause, for the log. */
function refusal(error: unknown, format: ImageFormat): unknown {
  if (!isDecoders(error)) return error;
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

const isDecoders = (error: unknown): boolean => !(error instanceof AppError) && !isAbortError(error);

async function decodeOnce(
  path: string,
  header: ImageHeader,
  limits: ImageLimits,
  { failOn, signal, company }: { failOn: 'warning' | 'error'; signal?: AbortSignal | undefined; company?: Company },
): Promise<Decoded> {
  if (header.format !== 'bmp') company?.own('header');
  const image = await openImage(path, header, { limits, failOn, ...(signal === undefined ? {} : { signal }) });
  company?.own('header');
  const metadata = await metadataOf(image);
  sizeCheck(limits)({ ...metadata, bitsPerSample: metadata.depth === 'uchar' ? 8 : 16 });
  company?.own('pipeline');
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
 * are ignored. Where other pictures were worked on meanwhile, whose words a decoder's complaint is made of cannot be known:
 * then a process of its own decides.
 *
 * @param header From `inspectHeader`, which must have accepted the file.
 * @throws AppError CORRUPT_IMAGE, IMAGE_TOO_LARGE (more than the header promised, or over 15 s) or
 *   UNSUPPORTED_IMAGE (a variant the decoder does not know); the signal's reason.
 */
export async function decodeFully(
  path: string,
  header: ImageHeader,
  limits: ImageLimits,
  { signal, alone = false }: FullDecodeOptions = {},
): Promise<Decoded> {
  const company = watchCompany();
  try {
    const decoded = await decodeOnce(path, header, limits, { failOn: 'warning', signal, company }).catch(
      async (error: unknown) => {
        if (isDecoders(error) && company.came() && !alone) await secondOpinion(path, limits, signal);
        else if (!harmless(error)) throw error;
        return decodeOnce(path, header, limits, { failOn: 'error', signal });
      },
    );
    if (header.tiled === true) await decodeTiles(path, limits, signal);
    return decoded;
  } catch (error) {
    throw refusal(error, header.format);
  } finally {
    signal?.throwIfAborted();
  }
}
