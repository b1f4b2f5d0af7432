/** A named piece of a PNG or a WebP, whole. */
export interface Chunk {
  readonly name: string;
  readonly bytes: Buffer;
}

interface Container {
  readonly first: number;
  /** Length of the chunk at `at` with everything that belongs to it. */
  length(file: Buffer, at: number): number;
  /** Where its name stands. */
  readonly name: number;
}

const PNG: Container = { first: 8, name: 4, length: (file, at) => 12 + file.readUInt32BE(at) };
const RIFF: Container = { first: 12, name: 0, length: (file, at) => 8 + ((file.readUInt32LE(at + 4) + 1) & ~1) };

function chunksOf(file: Buffer, { first, name, length }: Container): Chunk[] | null {
  const chunks: Chunk[] = [];
  for (let at = first; at + 8 <= file.length;) {
    const end = at + length(file, at);
    if (end > file.length) return null;
    chunks.push({ name: file.toString('latin1', at + name, at + name + 4), bytes: file.subarray(at, end) });
    if (chunks.at(-1)?.name === 'IEND') break;
    at = end;
  }
  return chunks;
}

/** What of a PNG says how its pixels are to be shown. */
const PNG_KEPT = /^(?:IHDR|PLTE|IDAT|IEND|tRNS|gAMA|cHRM|sRGB|iCCP|cICP|sBIT)$/;
const WEBP_KEPT = /^(?:VP8 |VP8L|VP8X|ALPH|ICCP)$/;
const EXIF_FLAG = 8;
const XMP_FLAG = 4;

/** The EXIF chunk of a PNG or WebP, or null. */
export function exifChunk(file: Buffer, format: 'png' | 'webp'): Buffer | null {
  const chunks = chunksOf(file, format === 'png' ? PNG : RIFF);
  return chunks?.find(({ name }) => name === 'eXIf' || name === 'EXIF')?.bytes ?? null;
}

/** As `jpegWithMetadata`, for a PNG; null for an animation, too. */
export function pngWithMetadata(file: Buffer, exif: Buffer | null, keepDensity: boolean): Buffer | null {
  const chunks = chunksOf(file, PNG);
  if (chunks === null || chunks.some(({ name }) => name === 'acTL') || chunks.at(-1)?.name !== 'IEND') return null;
  const kept = chunks.filter(({ name }) => PNG_KEPT.test(name) || (keepDensity && name === 'pHYs'));
  const [head, ...rest] = kept.map(({ bytes }) => bytes);
  if (head === undefined) return null;
  return Buffer.concat([file.subarray(0, 8), head, ...(exif === null ? [] : [exif]), ...rest]);
}

/** As `jpegWithMetadata`, for a WebP; null for an animation, and where there is EXIF to write and no header for it. */
export function webpWithMetadata(file: Buffer, exif: Buffer | null): Buffer | null {
  const chunks = chunksOf(file, RIFF);
  if (chunks === null || chunks.some(({ name }) => name.startsWith('ANI'))) return null;
  const kept = chunks.filter(({ name }) => WEBP_KEPT.test(name)).map(({ bytes }) => bytes);
  const isExtended = chunks[0]?.name === 'VP8X';
  if (exif !== null && !isExtended) return null;
  if (isExtended) {
    const head = Buffer.from(kept[0]!);
    head[8] = (head[8]! & ~(EXIF_FLAG | XMP_FLAG)) | (exif === null ? 0 : EXIF_FLAG);
    kept[0] = head;
  }
  const body = Buffer.concat(exif === null ? kept : [...kept, exif]);
  const start = Buffer.from(file.subarray(0, 12));
  start.writeUInt32LE(body.length + 4, 4);
  return Buffer.concat([start, body]);
}
