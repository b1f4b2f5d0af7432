import { corrupt, damaged, unsupported } from '../refusals.ts';
import type { HeaderReader, ImageHeader } from './header.ts';

const RGB = 0;
const RUNS_OF_8 = 1;
const RUNS_OF_4 = 2;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;

/** Where a BMP's pixels, palette and colour masks lie. */
export interface BmpLayout {
  readonly width: number;
  readonly height: number;
  /** Rows run from the bottom up unless the stored height is negative. */
  readonly bottomUp: boolean;
  readonly bitsPerPixel: 1 | 2 | 4 | 8 | 16 | 24 | 32;
  /** Whether the pixels are packed in runs (RLE4, RLE8). */
  readonly runs: boolean;
  readonly pixelsAt: number;
  /** Bytes of one unpacked row, padded to 4. */
  readonly rowBytes: number;
  /** The palette: `colours` entries of `entryBytes`, blue first. */
  readonly palette: { readonly at: number; readonly entryBytes: 3 | 4; readonly colours: number };
  /** Red, green, blue and alpha masks of 16 and 32 bit pixels. */
  readonly masks: readonly [number, number, number, number];
}

/** Bytes that `bmpLayout` wants to see. */
export const BMP_HEADER_BYTES = 138;

const isDepth = (bits: number): bits is BmpLayout['bitsPerPixel'] => [1, 2, 4, 8, 16, 24, 32].includes(bits);

function masksOf(head: Buffer, headerBytes: number, bits: number, compression: number): BmpLayout['masks'] {
  if (compression === RGB) return bits === 16 ? [0x7c00, 0x03e0, 0x001f, 0] : [0xff0000, 0xff00, 0xff, 0];
  if (head.length < 70) throw damaged('BMP');
  const alpha = headerBytes >= 56 || compression === ALPHA_BITFIELDS ? head.readUInt32LE(66) : 0;
  return [head.readUInt32LE(54), head.readUInt32LE(58), head.readUInt32LE(62), alpha];
}

/**
 * Reads the headers of a Windows or OS/2 bitmap: BITMAPCOREHEADER (12 bytes), OS22XBITMAPHEADER (16 to 64) and
 * BITMAPINFOHEADER (40) to BITMAPV5HEADER (124). Fields that a short header leaves out are 0.
 *
 * @throws AppError UNSUPPORTED_IMAGE for JPEG, PNG, Huffman or 24-bit run packing; CORRUPT_IMAGE for nonsense.
 */
export function bmpLayout(head: Buffer): BmpLayout {
  if (head.length < 26) throw damaged('BMP');
  const headerBytes = head.readUInt32LE(14);
  const core = headerBytes === 12;
  if (!core && (headerBytes < 16 || headerBytes > 124)) {
    throw unsupported('This is not a picture that can be read here. If it is a BMP, save it as PNG and upload that.');
  }
  if (head.length < Math.min(14 + headerBytes, 54)) throw damaged('BMP');
  const field = (offset: number) => (offset + 4 <= 14 + headerBytes ? head.readUInt32LE(offset) : 0);
  const width = core ? head.readUInt16LE(18) : head.readInt32LE(18);
  const signedHeight = core ? head.readUInt16LE(20) : head.readInt32LE(22);
  const bits = core ? head.readUInt16LE(24) : head.readUInt16LE(28);
  const compression = core ? RGB : field(30);
  if (width <= 0 || signedHeight === 0) throw corrupt('This BMP file says it has no pixels; it is damaged.');
  if (!isDepth(bits)) throw unsupported(`A BMP file with ${bits} bits per pixel cannot be read here. Save it as PNG.`);
  const masked = (compression === BITFIELDS || compression === ALPHA_BITFIELDS) && (bits === 16 || bits === 32);
  const runs = (compression === RUNS_OF_8 && bits === 8) || (compression === RUNS_OF_4 && bits === 4);
  if (compression !== RGB && !masked && !runs) {
    throw unsupported('BMP files packed in this way cannot be read here. Save it as PNG.');
  }
  if (runs && signedHeight < 0) throw damaged('BMP');
  const colours = bits > 8 ? 0 : Math.min((core ? 0 : field(46)) || 2 ** bits, 2 ** bits);
  const extraMasks = masked && headerBytes === 40 ? (compression === ALPHA_BITFIELDS ? 16 : 12) : 0;
  const palette = { at: 14 + headerBytes + extraMasks, entryBytes: core ? 3 : 4, colours } as const;
  const pixelsAt = head.readUInt32LE(10);
  if (pixelsAt < 14 + headerBytes) throw damaged('BMP');
  return {
    width,
    height: Math.abs(signedHeight),
    bottomUp: signedHeight > 0,
    bitsPerPixel: bits,
    runs,
    pixelsAt,
    rowBytes: Math.ceil((width * bits) / 32) * 4,
    palette,
    masks: masksOf(head, headerBytes, bits, compression),
  };
}

/** Bytes of the file that its pixels may take: runs of one pixel each need two bytes a pixel and two a row. */
export function bmpPixelBytes({ runs, width, height, rowBytes }: BmpLayout): number {
  return runs ? 2 * (width + 2) * (height + 1) : rowBytes * height;
}

/** BMP: the size from the header, and whether the file is long enough to hold it. */
export const readBmpHeader: HeaderReader = async (source, checkSize) => {
  const layout = bmpLayout(await source.read(0, BMP_HEADER_BYTES));
  const { width, height, pixelsAt, rowBytes } = layout;
  const header: ImageHeader = { format: 'bmp', width, height, channels: 4, bitsPerSample: 8, frames: 1 };
  checkSize(header);
  // The last row's padding is often missing; its pixels are not. Of runs only unpacking knows the length.
  const least = layout.runs ? 2 : rowBytes * (height - 1) + Math.ceil((width * layout.bitsPerPixel) / 8);
  if (source.size < pixelsAt + least) throw damaged('BMP');
  return header;
};
