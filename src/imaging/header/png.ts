import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { corrupt, damaged, tooLarge } from '../refusals.ts';
import type { HeaderReader } from './header.ts';

const MAX_CHUNKS = 100_000;
/** Bytes that a picture's compressed metadata (profile, texts) may unpack to, all together. */
const MAX_METADATA = 8e6;
/** Bytes in that metadata's packed form; deflate cannot pack a legal 8 MB profile much worse. */
const MAX_PACKED = 4e6;

const inflateAsync = promisify(inflate);
const CHANNELS: Record<number, number> = { 0: 1, 2: 3, 3: 3, 4: 2, 6: 4 };
const DEPTHS: Record<number, readonly number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};
const BOMB =
  'This PNG file carries compressed metadata that unpacks to many megabytes. Save it again without metadata.';

/** Where the deflate stream starts in a chunk that has one, by the PNG specification; null = nothing is packed. */
function packedFrom(type: string, data: Buffer): number | null {
  const keywordEnd = data.indexOf(0);
  if (keywordEnd < 0) return null;
  if (type === 'iCCP' || type === 'zTXt') return keywordEnd + 2;
  if (type !== 'iTXt' || data[keywordEnd + 1] !== 1) return null;
  const languageEnd = data.indexOf(0, keywordEnd + 3);
  const translatedEnd = languageEnd < 0 ? -1 : data.indexOf(0, languageEnd + 1);
  return translatedEnd < 0 ? null : translatedEnd + 1;
}

async function unpackedSize(packed: Buffer, budget: number): Promise<number> {
  try {
    return (await inflateAsync(packed, { maxOutputLength: Math.max(1, budget) })).length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(BOMB, error);
    return 0; // Damaged metadata is left out by the decoder; the pixels are judged on their own.
  }
}

/** PNG and APNG by the W3C specification: walks every chunk, so that nothing behind the pixels surprises a decoder. */
export const readPngHeader: HeaderReader = async (source, checkSize) => {
  const first = await source.read(8, 25);
  if (first.length < 25 || first.toString('latin1', 4, 8) !== 'IHDR' || first.readUInt32BE() !== 13)
    throw damaged('PNG');
  const width = first.readUInt32BE(8);
  const height = first.readUInt32BE(12);
  const bitsPerSample = first.readUInt8(16);
  const colourType = first.readUInt8(17);
  if (width === 0 || height === 0) throw corrupt('This PNG file says it has no pixels; it is damaged.');
  if (!DEPTHS[colourType]?.includes(bitsPerSample)) throw damaged('PNG');
  let channels = CHANNELS[colourType] ?? 4;
  checkSize({ width, height, channels, bitsPerSample });

  let frames = 1;
  let budget = MAX_METADATA;
  let hasPixels = false;
  let offset = 33;
  for (let chunks = 0; offset + 8 <= source.size; chunks++) {
    if (chunks > MAX_CHUNKS) throw tooLarge('This PNG file has too many parts. Save it again and retry.');
    const head = await source.read(offset, 20);
    const length = head.readUInt32BE();
    const type = head.toString('latin1', 4, 8);
    if (type === 'IEND') break;
    if (length > 0x7fffffff) throw damaged('PNG');
    if (type === 'IHDR') throw corrupt('This PNG file has two headers; it is damaged.');
    if (type === 'IDAT') hasPixels = true;
    if (type === 'tRNS' && channels % 2 === 1) channels += 1;
    if (type === 'acTL' && head.length >= 12) frames = Math.max(1, head.readUInt32BE(8));
    if (type === 'iCCP' || type === 'zTXt' || type === 'iTXt') {
      if (type !== 'iTXt' && length > MAX_PACKED) throw tooLarge(BOMB);
      const data = await source.read(offset + 8, Math.min(length, MAX_PACKED));
      const from = packedFrom(type, data);
      if (from !== null && length > MAX_PACKED) throw tooLarge(BOMB);
      if (from !== null) budget -= await unpackedSize(data.subarray(from), budget);
      if (budget <= 0) throw tooLarge(BOMB);
    }
    offset += 12 + length;
  }
  if (!hasPixels) throw damaged('PNG');
  checkSize({ width, height, channels, bitsPerSample });
  const inStrips = first.readUInt8(20) === 0;
  return { format: 'png', width, height, channels, bitsPerSample, frames, inStrips };
};
