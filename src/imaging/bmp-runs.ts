import type { BmpLayout } from './header/bmp.ts';
import { damaged } from './refusals.ts';

const END_OF_ROW = 0;
const END_OF_PICTURE = 1;
const JUMP = 2;

/**
 * Unpacks a run-length packed BMP (RLE8 and RLE4 of the Windows bitmap format) into one of a byte per pixel.
 * Pixels that the runs leave out have colour 0; pixels beyond the end of a row are dropped.
 *
 * @returns The header and palette as they were with the unpacked rows behind them, and their layout.
 * @throws AppError CORRUPT_IMAGE when the runs end before the picture does.
 */
export function unpackRuns(bytes: Uint8Array, layout: BmpLayout): { bytes: Uint8Array; layout: BmpLayout } {
  const { width, height, pixelsAt, bitsPerPixel } = layout;
  const unpacked = new Uint8Array(pixelsAt + width * height);
  unpacked.set(bytes.subarray(0, pixelsAt));
  const perByte = 8 / bitsPerPixel;
  let x = 0;
  let y = 0;
  let at = pixelsAt;
  const put = (index: number) => {
    if (x < width) unpacked[pixelsAt + y * width + x++] = index;
  };
  const nibble = (byte: number, i: number) => (perByte === 1 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);

  while (y < height) {
    if (at + 2 > bytes.length) throw damaged('BMP');
    const count = bytes[at] ?? 0;
    const value = bytes[at + 1] ?? 0;
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(nibble(value, i));
    } else if (value === END_OF_ROW) {
      x = 0;
      y += 1;
    } else if (value === END_OF_PICTURE) break;
    else if (value === JUMP) {
      if (at + 2 > bytes.length) throw damaged('BMP');
      x += bytes[at] ?? 0;
      y += bytes[at + 1] ?? 0;
      at += 2;
    } else {
      if (at + Math.ceil(value / perByte) > bytes.length) throw damaged('BMP');
      for (let i = 0; i < value; i++) put(nibble(bytes[at + Math.floor(i / perByte)] ?? 0, i));
      at += 2 * Math.ceil(value / perByte / 2);
    }
    // A last row that is full needs no mark after it.
    if (y === height - 1 && x >= width && at >= bytes.length) break;
  }
  return { bytes: unpacked, layout: { ...layout, runs: false, bitsPerPixel: 8, rowBytes: width } };
}
