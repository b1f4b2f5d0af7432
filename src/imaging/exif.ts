/** One directory's readable values by tag number, written as sharp's `withExif` takes them. */
export type ExifValues = ReadonlyMap<number, string>;

export interface Exif {
  readonly IFD0: ExifValues;
  /** The Exif directory, which sharp calls IFD2. */
  readonly IFD2: ExifValues;
  /** The GPS directory. */
  readonly IFD3: ExifValues;
}

const MAX_ENTRIES = 512;
const MAX_VALUES = 16;
const MAX_TEXT = 2000;
const EXIF_POINTER = 0x8769;
const GPS_POINTER = 0x8825;
/** Bytes per value by the type numbers of TIFF 6.0. */
const SIZES: Readonly<Record<number, number>> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 9: 4, 10: 8 };
const EMPTY: Exif = { IFD0: new Map(), IFD2: new Map(), IFD3: new Map() };

interface Reader {
  /** An unsigned number, or 0 beyond the end. */
  number(offset: number, size: 1 | 2 | 4): number;
  text(offset: number, length: number): string;
}

function readerOf(block: Buffer): Reader | null {
  const order = block.toString('latin1', 0, 4);
  const little = order === 'II*\0';
  if (!little && order !== 'MM\0*') return null;
  return {
    number(offset, size) {
      if (!Number.isInteger(offset) || offset < 0 || offset + size > block.length) return 0;
      return little ? block.readUIntLE(offset, size) : block.readUIntBE(offset, size);
    },
    text(offset, length) {
      const bytes = block.subarray(offset, Math.min(offset + length, offset + MAX_TEXT));
      const end = bytes.indexOf(0);
      return bytes
        .toString('utf8', 0, end < 0 ? bytes.length : end)
        .replace(/[\p{Cc}\ufffd]+/gu, ' ')
        .trim();
    },
  };
}

function valueText(reader: Reader, type: number, count: number, at: number): string {
  if (type === 2) return reader.text(at, count);
  const size = SIZES[type] ?? 1;
  const signed = (value: number) => (type >= 9 ? value | 0 : value);
  const values = Array.from({ length: Math.min(count, MAX_VALUES) }, (_, i) => {
    const offset = at + i * size;
    if (size === 8) return `${signed(reader.number(offset, 4))}/${signed(reader.number(offset + 4, 4))}`;
    return String(signed(reader.number(offset, size as 1 | 2 | 4)));
  });
  return values.join(' ');
}

/** The values of the directory at `offset`; entries that reach out of the block are left out. */
function directory(reader: Reader, blockLength: number, offset: number): Map<number, string> {
  const values = new Map<number, string>();
  // A pointer of the wrong type reads as NaN.
  if (!(offset >= 8 && offset + 2 <= blockLength)) return values;
  const count = Math.min(reader.number(offset, 2), MAX_ENTRIES);
  for (let i = 0; i < count; i++) {
    const entry = offset + 2 + i * 12;
    if (entry + 12 > blockLength) break;
    const type = reader.number(entry + 2, 2);
    const length = reader.number(entry + 4, 4);
    const size = SIZES[type];
    if (size === undefined || length === 0) continue;
    const at = length * size <= 4 ? entry + 8 : reader.number(entry + 8, 4);
    if (at + length * size > blockLength) continue;
    const text = valueText(reader, type, length, at);
    if (text !== '') values.set(reader.number(entry, 2), text);
  }
  return values;
}

/**
 * Reads an EXIF block (Exif 3.0: TIFF directories), with or without the leading `Exif\0\0`. Never throws: what
 * does not parse is left out. Thumbnails, maker notes and values of undefined type are not read at all.
 */
export function readExif(bytes: Uint8Array | undefined): Exif {
  if (bytes === undefined) return EMPTY;
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const block = whole.toString('latin1', 0, 6) === 'Exif\0\0' ? whole.subarray(6) : whole;
  const reader = readerOf(block);
  if (reader === null) return EMPTY;
  const first = directory(reader, block.length, reader.number(4, 4));
  const pointed = (tag: number) => directory(reader, block.length, Number(first.get(tag) ?? 0));
  return { IFD0: first, IFD2: pointed(EXIF_POINTER), IFD3: pointed(GPS_POINTER) };
}
