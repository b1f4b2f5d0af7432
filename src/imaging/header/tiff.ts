import { corrupt, damaged, unsupported } from '../refusals.ts';
import type { HeaderReader } from './header.ts';
import type { ByteSource } from './source.ts';

const MAX_ENTRIES = 4096;
const VALUE_BYTES: Record<number, number> = { 1: 1, 3: 2, 4: 4, 13: 4, 16: 8 };

const TAG = {
  subfileType: 254,
  width: 256,
  height: 257,
  bitsPerSample: 258,
  compression: 259,
  photometric: 262,
  samplesPerPixel: 277,
  tileWidth: 322,
  tileHeight: 323,
  subIfds: 330,
  sampleFormat: 339,
  dngVersion: 50706,
} as const;

/** How classic TIFF (42) and BigTIFF (43) lay a directory out. */
interface Layout {
  readonly big: boolean;
  number(bytes: Buffer, offset: number, size: number): number;
}

function layoutOf(head: Buffer): Layout {
  const little = head[0] === 0x49;
  return {
    big: head[little ? 2 : 3] === 43,
    number(bytes, offset, size) {
      if (offset + size > bytes.length) throw damaged('TIFF');
      if (size === 8) return Number(little ? bytes.readBigUInt64LE(offset) : bytes.readBigUInt64BE(offset));
      return little ? bytes.readUIntLE(offset, size) : bytes.readUIntBE(offset, size);
    },
  };
}

interface Directory {
  readonly entries: Buffer;
  readonly count: number;
  readonly next: number;
}

async function readDirectory(source: ByteSource, { big, number }: Layout, offset: number): Promise<Directory> {
  const countBytes = big ? 8 : 2;
  const entryBytes = big ? 20 : 12;
  const count = number(await source.read(offset, countBytes), 0, countBytes);
  if (count === 0 || count > MAX_ENTRIES) throw damaged('TIFF');
  const bytes = await source.read(offset + countBytes, count * entryBytes + (big ? 8 : 4));
  const entries = Buffer.from(bytes);
  return { entries, count, next: number(entries, count * entryBytes, big ? 8 : 4) };
}

/** The first value of each whole-number tag of a directory. */
async function firstValues(source: ByteSource, layout: Layout, directory: Directory): Promise<Map<number, number>> {
  const { big, number } = layout;
  const values = new Map<number, number>();
  for (let i = 0; i < directory.count; i++) {
    const entry = directory.entries.subarray(i * (big ? 20 : 12));
    const size = VALUE_BYTES[number(entry, 2, 2)];
    if (size === undefined) continue;
    const inline = number(entry, 4, big ? 8 : 4) * size <= (big ? 8 : 4);
    const at = big ? 12 : 8;
    const place = inline ? null : number(entry, at, big ? 8 : 4);
    const bytes = place === null ? entry.subarray(at) : await source.read(place, size);
    if (bytes.length >= size) values.set(number(entry, 0, 2), number(bytes, 0, size));
  }
  return values;
}

const SAMPLES = { unsigned: 1, floating: 3, untyped: 4 } as const;
const PHOTOMETRIC = { rgb: 2, yCbCr: 6, colourFilter: 32_803 } as const;
/** Most samples per pixel of each kind of colour, transparency included; more come out as a picture of too many channels. */
const MOST_SAMPLES: Readonly<Record<number, number>> = { 0: 2, 1: 2, 3: 2, 5: 5 };
const OLD_JPEG = 6;
const JPEG = 7;

/**
 * Kinds that libvips opens and shows in false colours or as a black or white sheet: YCbCr outside JPEG, signed and
 * 32-bit whole numbers, floating-point grey. Floating-point RGB is linear light from 0 to 1.
 */
function refuseMisread(tags: Map<number, number>, bits: number): void {
  const photometric = tags.get(TAG.photometric);
  const compression = tags.get(TAG.compression) ?? 1;
  const samples = tags.get(TAG.sampleFormat) ?? SAMPLES.unsigned;
  const floating = samples === SAMPLES.floating && photometric === PHOTOMETRIC.rgb && (bits === 16 || bits === 32);
  const whole = (samples === SAMPLES.unsigned || samples === SAMPLES.untyped) && [1, 2, 4, 8, 16].includes(bits);
  const samplesFit = (tags.get(TAG.samplesPerPixel) ?? 1) <= (MOST_SAMPLES[photometric ?? PHOTOMETRIC.rgb] ?? 4);
  const isJpeg = compression === JPEG || compression === OLD_JPEG;
  if ((floating || whole) && samplesFit && (photometric !== PHOTOMETRIC.yCbCr || isJpeg)) return;
  throw unsupported('This kind of TIFF file cannot be read here. Save it with 8 or 16 bits per colour in RGB or grey.');
}

/** TIFF 6.0 and BigTIFF: the first directory's size, then the chain of pages, with loops refused. */
export const readTiffHeader: HeaderReader = async (source, checkSize, maxFrames) => {
  const head = Buffer.from(await source.read(0, 16));
  const layout = layoutOf(head);
  if (head.length < (layout.big ? 16 : 8)) throw damaged('TIFF');
  let offset = layout.number(head, layout.big ? 8 : 4, layout.big ? 8 : 4);
  const first = await readDirectory(source, layout, offset);
  const values = await firstValues(source, layout, first);
  const filtered = values.get(TAG.photometric) === PHOTOMETRIC.colourFilter;
  if (filtered || values.has(TAG.dngVersion) || (values.get(TAG.subfileType) === 1 && values.has(TAG.subIfds))) {
    throw unsupported('Camera raw files cannot be read here. Export the photo as JPEG or TIFF and upload that.');
  }
  const width = values.get(TAG.width) ?? 0;
  const height = values.get(TAG.height) ?? 0;
  const channels = values.get(TAG.samplesPerPixel) ?? 1;
  const bitsPerSample = values.get(TAG.bitsPerSample) ?? 1;
  if (width === 0 || height === 0 || bitsPerSample === 0) throw damaged('TIFF');
  if (bitsPerSample > 64) throw damaged('TIFF');
  checkSize({ width, height, channels, bitsPerSample });
  const tileWidth = values.get(TAG.tileWidth);
  const tileHeight = values.get(TAG.tileHeight);
  if (tileWidth !== undefined && tileHeight !== undefined) {
    checkSize({ width: tileWidth, height: tileHeight, channels, bitsPerSample });
  }
  refuseMisread(values, bitsPerSample);
  if (channels === 0 || channels > 5)
    throw unsupported(`A TIFF file with ${channels} colour channels cannot be read here.`);

  const seen = new Set([offset]);
  let frames = 1;
  for (offset = first.next; offset !== 0; offset = (await readDirectory(source, layout, offset)).next) {
    if (seen.has(offset)) throw corrupt('The pages of this TIFF file run in a circle; it is damaged.');
    seen.add(offset);
    frames += 1;
    if (maxFrames > 0 && frames > maxFrames) break;
  }
  return { format: 'tiff', width, height, channels, bitsPerSample, frames };
};
