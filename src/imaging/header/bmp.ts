import { corrupt, damaged, unsupported } from '../refusals.ts';
import type { HeaderReader, ImageHeader } from './header.ts';

const RGB = 0;
const BITFIELDS = 3;
const ALPHA_BITFIELDS = 6;

/** Where a BMP's pixels, palette and colour masks lie. */
export interface BmpLayout {
  readonly width: number;
  readonly height: number;
  /** Rows run from the bottom up unless the stored height is negative. */
  readonly bottomUp: boolean;
  readonly bitsPerPixel: 1 | 4 | 8 | 16 | 24 | 32;
  readonly pixelsAt: number;
  /** Bytes of one row, padded to 4. */
  readonly rowBytes: number;
  /** The palette: `colours` entries of `entryBytes`, blue first. */
  readonly palette: { readonly at: number; readonly entryBytes: 3 | 4; readonly colours: number };
  /** Red, green, blue and alpha masks of 16 and 32 bit pixels. */
  readonly masks: readonly [number, number, number, number];
}

/** Bytes that `bmpLayout` wants to see. */
export const BMP_HEADER_BYTES = 138;

const isDepth = (bits: number): bits is BmpLayout['bitsPerPixel'] => [1, 4, 8, 16, 24, 32].includes(bits);

function masksOf(head: Buffer, headerBytes: number, bits: number, compression: number): BmpLayout['masks'] {
  if (compression === RGB) return bits === 16 ? [0x7c00, 0x03e0, 0x001f, 0] : [0xff0000, 0xff00, 0xff, 0];
  if (head.length < 70) throw damaged('BMP');
  const alpha = headerBytes >= 56 || compression === ALPHA_BITFIELDS ? head.readUInt32LE(66) : 0;
  return [head.readUInt32LE(54), head.readUInt32LE(58), head.readUInt32LE(62), alpha];
}

/**
 * Reads the headers of a Windows or OS/2 bitmap: BITMAPCOREHEADER (12 bytes) and BITMAPINFOHEADER (40) to
 * BITMAPV5HEADER (124).
 *
 * @throws AppError UNSUPPORTED_IMAGE for run-length, JPEG or PNG packing; CORRUPT_IMAGE for nonsense.
 */
export function bmpLayout(head: Buffer): BmpLayout {
  if (head.length < 26) throw damaged('BMP');
  const headerBytes = head.readUInt32LE(14);
  const core = headerBytes === 12;
  if (!core && (headerBytes < 40 || headerBytes > 124)) {
    throw unsupported('This is not a picture that can be read here. If it is a BMP, save it as PNG and upload that.');
  }
  if (!core && head.length < 54) throw damaged('BMP');
  const width = core ? head.readUInt16LE(18) : head.readInt32LE(18);
  const signedHeight = core ? head.readUInt16LE(20) : head.readInt32LE(22);
  const bits = core ? head.readUInt16LE(24) : head.readUInt16LE(28);
  const compression = core ? RGB : head.readUInt32LE(30);
  if (width <= 0 || signedHeight === 0) throw corrupt('This BMP file says it has no pixels; it is damaged.');
  if (!isDepth(bits)) throw unsupported(`A BMP file with ${bits} bits per pixel cannot be read here. Save it as PNG.`);
  const masked = (compression === BITFIELDS || compression === ALPHA_BITFIELDS) && (bits === 16 || bits === 32);
  if (compression !== RGB && !masked) throw unsupported('Compressed BMP files cannot be read here. Save it as PNG.');
  const colours = bits > 8 ? 0 : Math.min((core ? 0 : head.readUInt32LE(46)) || 2 ** bits, 2 ** bits);
  const extraMasks = masked && headerBytes === 40 ? (compression === ALPHA_BITFIELDS ? 16 : 12) : 0;
  const palette = { at: 14 + headerBytes + extraMasks, entryBytes: core ? 3 : 4, colours } as const;
  const pixelsAt = head.readUInt32LE(10);
  if (pixelsAt < 14 + headerBytes) throw damaged('BMP');
  return {
    width,
    height: Math.abs(signedHeight),
    bottomUp: signedHeight > 0,
    bitsPerPixel: bits,
    pixelsAt,
    rowBytes: Math.ceil((width * bits) / 32) * 4,
    palette,
    masks: masksOf(head, headerBytes, bits, compression),
  };
}

/** BMP: the size from the header, and whether the file is long enough to hold it. */
export const readBmpHeader: HeaderReader = async (source, checkSize) => {
  const layout = bmpLayout(await source.read(0, BMP_HEADER_BYTES));
  const { width, height, pixelsAt, rowBytes } = layout;
  const header: ImageHeader = { format: 'bmp', width, height, channels: 4, bitsPerSample: 8, frames: 1 };
  checkSize(header);
  // The last row's padding is often missing; its pixels are not.
  if (source.size < pixelsAt + rowBytes * (height - 1) + Math.ceil((width * layout.bitsPerPixel) / 8)) {
    throw damaged('BMP');
  }
  return header;
};
