import type { ByteSource } from './source.ts';

const MAX_SEGMENTS = 512;
const DEFINE_TABLES = 0xdb;
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;
const LONGEST_SEGMENT = 65_535;

/** Place of the n-th entry of a table, row by row (ITU-T T.81, figure 5). */
const ZIGZAG = [
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47,
  55, 62, 63,
];

/**
 * The quantisation steps of a JPEG file's first table, which every encoder uses for luminance, row by row; null where there is none
 * before the first scan. Never throws for what the file holds.
 */
export async function readLuminanceTable(source: ByteSource): Promise<number[] | null> {
  let offset = 2;
  for (let segments = 0; segments < MAX_SEGMENTS; segments++) {
    const head = await source.read(offset, 4);
    if (head.length < 4 || head[0] !== 0xff) return null;
    const marker = head[1] ?? 0;
    if (marker === 0xff) {
      offset += 1;
      continue;
    }
    if (marker === START_OF_SCAN || marker === END_OF_IMAGE) return null;
    const length = head.readUInt16BE(2);
    if (length < 2) return null;
    const table = marker === DEFINE_TABLES ? firstTable(await source.read(offset + 4, length - 2)) : null;
    if (table !== null) return table;
    offset += 2 + Math.min(length, LONGEST_SEGMENT);
  }
  return null;
}

/** Table number 0 of a DQT segment: one byte of precision and number, then 64 steps of one or two bytes. */
function firstTable(segment: Buffer): number[] | null {
  for (let at = 0; at < segment.length;) {
    const kind = segment[at] ?? 0;
    const size = kind >> 4 === 0 ? 1 : 2;
    const end = at + 1 + 64 * size;
    if (end > segment.length) return null;
    if ((kind & 15) === 0) {
      const table = Array.from({ length: 64 }, () => 1);
      ZIGZAG.forEach((place, n) => (table[place] = Math.max(1, segment.readUIntBE(at + 1 + n * size, size))));
      return table;
    }
    at = end;
  }
  return null;
}
