import { BMP_HEADER_BYTES, bmpLayout, type BmpLayout } from './header/bmp.ts';
import { unpackRuns } from './bmp-runs.ts';
import { damaged } from './refusals.ts';

/** 8-bit pixels, top row first. */
export interface BmpPixels {
  readonly data: Uint8Array<ArrayBuffer>;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

type WriteRow = (row: number, into: number) => void;

/** The value of a mask's bits in `pixel`, stretched to 0..255. */
function unmask(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const top = mask >>> shift;
  return (pixel) => Math.round((((pixel & mask) >>> shift) * 255) / top);
}

function paletteRows(bytes: Uint8Array, layout: BmpLayout, data: Uint8Array): WriteRow {
  const { width, bitsPerPixel: bits, palette } = layout;
  const perByte = 8 / bits;
  const lowBits = 2 ** bits - 1;
  return (row, into) => {
    for (let x = 0; x < width; x++) {
      const byte = bytes[row + ((x * bits) >> 3)] ?? 0;
      const index = (byte >> (8 - bits - (x % perByte) * bits)) & lowBits;
      const colour = palette.at + index * palette.entryBytes;
      const known = index < palette.colours;
      for (let c = 0; c < 3; c++) data[into + x * 3 + c] = known ? (bytes[colour + 2 - c] ?? 0) : 0;
    }
  };
}

function maskedRows(bytes: Uint8Array, layout: BmpLayout, data: Uint8Array, channels: number): WriteRow {
  const { width, bitsPerPixel, masks } = layout;
  const step = bitsPerPixel / 8;
  const read = masks.map(unmask);
  return (row, into) => {
    for (let x = 0; x < width; x++) {
      let pixel = 0;
      for (let i = step - 1; i >= 0; i--) pixel = (pixel << 8) | (bytes[row + x * step + i] ?? 0);
      for (let c = 0; c < channels; c++) data[into + x * channels + c] = read[c]?.(pixel) ?? 0;
    }
  };
}

function plainRows(bytes: Uint8Array, layout: BmpLayout, data: Uint8Array): WriteRow {
  const step = layout.bitsPerPixel / 8;
  return (row, into) => {
    for (let x = 0, from = row, to = into; x < layout.width; x++, from += step, to += 3) {
      data[to] = bytes[from + 2] ?? 0;
      data[to + 1] = bytes[from + 1] ?? 0;
      data[to + 2] = bytes[from] ?? 0;
    }
  };
}

const isPlain = ({ bitsPerPixel, masks }: BmpLayout) =>
  bitsPerPixel >= 24 && masks[0] === 0xff0000 && masks[1] === 0xff00 && masks[2] === 0xff && masks[3] === 0;

/**
 * Decodes a BMP of 1, 2, 4, 8, 16, 24 or 32 bits per pixel, palettes, runs and colour masks included.
 * Blocks for about 5 ms per megapixel: `readBmp` puts large ones into a worker.
 *
 * @param file The file, checked to be long enough by `readBmpHeader`.
 * @throws AppError CORRUPT_IMAGE or UNSUPPORTED_IMAGE.
 */
export function decodeBmp(file: Uint8Array): BmpPixels {
  const stored = bmpLayout(Buffer.from(file.buffer, file.byteOffset, Math.min(file.length, BMP_HEADER_BYTES)));
  const { bytes, layout } = stored.runs ? unpackRuns(file, stored) : { bytes: file, layout: stored };
  const { width, height, bottomUp, pixelsAt, rowBytes, bitsPerPixel, masks } = layout;
  if (pixelsAt + rowBytes * (height - 1) >= bytes.length) throw damaged('BMP');
  const channels = masks[3] === 0 ? 3 : 4;
  const data = new Uint8Array(width * height * channels);
  const writeRow =
    bitsPerPixel <= 8
      ? paletteRows(bytes, layout, data)
      : isPlain(layout)
        ? plainRows(bytes, layout, data)
        : maskedRows(bytes, layout, data, channels);
  for (let y = 0; y < height; y++) {
    writeRow(pixelsAt + y * rowBytes, (bottomUp ? height - 1 - y : y) * width * channels);
  }
  if (channels === 4) fillEmptyAlpha(data);
  return { data, width, height, channels };
}

/** Many programs write an alpha channel of zeros and mean "none". */
function fillEmptyAlpha(data: Uint8Array): void {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) return;
  for (let i = 3; i < data.length; i += 4) data[i] = 255;
}
