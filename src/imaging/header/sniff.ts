import { unsupported } from '../refusals.ts';
import type { ImageFormat } from '../limits.ts';

/** Bytes that `sniffFormat` wants to see. */
export const SNIFF_BYTES = 4096;

const TAKEN = 'Send a JPEG, PNG, WebP, TIFF, GIF, AVIF or BMP.';

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
}

const at = (offset: number, magic: string) => (bytes: Uint8Array) =>
  text(bytes, offset, offset + magic.length) === magic;

function brands(bytes: Uint8Array): string[] {
  if (text(bytes, 4, 8) !== 'ftyp') return [];
  const size = Math.min(Buffer.from(bytes.subarray(0, 4)).readUInt32BE(), bytes.length, 512);
  const found = [text(bytes, 8, 12)];
  for (let offset = 16; offset + 4 <= size; offset += 4) found.push(text(bytes, offset, offset + 4));
  return found;
}

/** A HEIC file may list AVIF among its compatible brands, so the major brand goes first. */
const isAvif = (bytes: Uint8Array) => {
  const [major = '', ...others] = brands(bytes);
  return /^avi[fs]$/.test(major) || (!/^he[iv]/.test(major) && others.some((brand) => /^avi[fs]$/.test(brand)));
};
const hasBrand = (pattern: RegExp) => (bytes: Uint8Array) => brands(bytes).some((brand) => pattern.test(brand));
const markup = (pattern: RegExp) => (bytes: Uint8Array) => {
  const head = text(bytes, 0, SNIFF_BYTES).replaceAll('\0', '');
  return /^(?:\u00ef\u00bb\u00bf|\u00ff\u00fe|\u00fe\u00ff)?\s*</.test(head) && pattern.test(head);
};

/** The formats taken, by their first bytes. */
const ACCEPTED: readonly (readonly [ImageFormat, (bytes: Uint8Array) => boolean])[] = [
  ['jpeg', at(0, '\xff\xd8')],
  ['png', at(0, '\x89PNG\r\n\x1a\n')],
  ['gif', (bytes) => /^GIF8[79]a/.test(text(bytes, 0, 6))],
  ['webp', (bytes) => at(0, 'RIFF')(bytes) && at(8, 'WEBP')(bytes)],
  ['tiff', (bytes) => /^(II[*+]\0|MM\0[*+])/.test(text(bytes, 0, 4))],
  ['avif', isAvif],
  ['bmp', at(0, 'BM')],
];

/** What people upload by mistake or on purpose, each with what to do instead. None of it reaches a decoder. */
const REFUSED: readonly (readonly [(bytes: Uint8Array) => boolean, string])[] = [
  [
    hasBrand(/^(hei[cxmsv]|hev[cxms]|mif[12]|msf1)$/),
    'HEIC photos cannot be read here. On an iPhone choose Settings > Camera > Formats > Most Compatible, or export the photo as JPEG, and upload that.',
  ],
  [at(4, 'jP  \r\n'), `JPEG 2000 pictures cannot be read here. ${TAKEN}`],
  [hasBrand(/^crx /), 'Camera raw files cannot be read here. Export the photo as JPEG or TIFF and upload that.'],
  [hasBrand(/./), 'This is a video or another media file, not a photo. Upload a still picture.'],
  [markup(/<svg[\s>]/i), `SVG drawings are not taken. ${TAKEN}`],
  [markup(/./), `This is a web page or an XML document, not a picture. ${TAKEN}`],
  [at(0, '%PDF'), 'This is a PDF document. Export its page as JPEG or PNG and upload that.'],
  [
    (bytes) => at(0, '%!')(bytes) || at(0, '\xc5\xd0\xd3\xc6')(bytes),
    'This is a PostScript document. Export it as PNG and upload that.',
  ],
  [at(0, '8BPS'), 'Photoshop documents cannot be read here. Save a copy as PNG, TIFF or JPEG and upload that.'],
  [(bytes) => at(0, '\xff\x0a')(bytes) || at(4, 'JXL \r\n')(bytes), `JPEG XL pictures cannot be read here. ${TAKEN}`],
  [at(0, '\xff\x4f\xff\x51'), `JPEG 2000 pictures cannot be read here. ${TAKEN}`],
  [at(0, 'PK\x03\x04'), 'This is a ZIP archive. Unpack it and upload the pictures in it.'],
  [at(0, '\x1f\x8b'), 'This is a compressed archive. Unpack it and upload the pictures in it.'],
];

/**
 * The format that a file's first bytes say it is; its name and declared type do not count.
 *
 * @param bytes The first `SNIFF_BYTES` of the file, or all of a shorter one.
 * @throws AppError UNSUPPORTED_IMAGE with advice for anything else.
 */
export function sniffFormat(bytes: Uint8Array): ImageFormat {
  if (bytes.length === 0) throw unsupported('The file is empty.');
  const advice = REFUSED.find(([matches]) => matches(bytes))?.[1];
  const accepted = ACCEPTED.find(([, matches]) => matches(bytes))?.[0];
  if (accepted !== undefined) return accepted;
  throw unsupported(advice ?? `This is not a picture that can be read here. ${TAKEN}`);
}
