/** A named piece of a PNG or a WebP, whole. */
export interface Chunk {
  readonly name: string;
  readonly bytes: Buffer;
}

interface Container {
  readonly first: number;
  /** Where the file says that it ends. */
  end(file: Buffer): number;
  /** Length of the chunk at `at` with everything that belongs to it. */
  length(file: Buffer, at: number): number;
  /** Where its name stands, and what of its length is not payload. */
  readonly name: number;
  readonly frame: number;
}

const PNG: Container = {
  first: 8,
  name: 4,
  frame: 12,
  end: (file) => file.length,
  length: (file, at) => 12 + file.readUInt32BE(at),
};
const RIFF: Container = {
  first: 12,
  name: 0,
  frame: 8,
  end: (file) => 8 + file.readUInt32LE(4),
  // Padded to an even length; bit operations alone would make a long one negative, and the walk endless.
  length(file, at) {
    const size = file.readUInt32LE(at + 4);
    return 8 + size + (size & 1);
  },
};

/** More chunks than any encoder writes for the largest picture; each takes memory while the file is written anew. */
const MOST_CHUNKS = 100_000;

/** The chunks that `wanted` asks for, by name and length of the payload; null where the file is not as the format says. */
function chunksOf(file: Buffer, container: Container, wanted: (name: string, size: number) => boolean): Chunk[] | null {
  const { first, name: nameAt, frame } = container;
  const chunks: Chunk[] = [];
  const stop = container.end(file);
  if (stop > file.length) return null;
  for (let at = first; at + 8 <= stop;) {
    const end = at + container.length(file, at);
    if (end > stop) return null;
    const name = file.toString('latin1', at + nameAt, at + nameAt + 4);
    if (wanted(name, end - at - frame)) {
      if (chunks.length === MOST_CHUNKS) return null;
      chunks.push({ name, bytes: file.subarray(at, end) });
    }
    if (name === 'IEND') break;
    at = end;
  }
  return chunks;
}

/** What of a PNG says how its pixels are to be shown, and the most bytes that each may have. */
const PNG_KEPT: ReadonlyMap<string, number> = new Map([
  ['IHDR', 13],
  ['PLTE', 768],
  ['IDAT', Infinity],
  ['tRNS', 256],
  ['gAMA', 4],
  ['cHRM', 32],
  ['sRGB', 1],
  ['iCCP', Infinity],
  ['cICP', 4],
  ['sBIT', 4],
]);
const DENSITY_BYTES = 9;
const PNG_END = Buffer.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]);
const WEBP_KEPT = /^(?:VP8 |VP8L|VP8X|ALPH|ICCP)$/;
const EXIF_FLAG = 8;
const XMP_FLAG = 4;

/** The EXIF chunk of a PNG or WebP, or null. */
export function exifChunk(file: Buffer, format: 'png' | 'webp'): Buffer | null {
  const wanted = (name: string): boolean => name === 'eXIf' || name === 'EXIF';
  return chunksOf(file, format === 'png' ? PNG : RIFF, wanted)?.[0]?.bytes ?? null;
}

/** As `jpegWithMetadata`, for a PNG; null for an animation, too. */
export function pngWithMetadata(file: Buffer, exif: Buffer | null, keepDensity: boolean): Buffer | null {
  const seen = new Set<string>();
  // Decoders read the first of a kind and pass over what has the wrong length, so both could hold anything.
  const chunks = chunksOf(file, PNG, (name, size) => {
    const most = name === 'pHYs' && keepDensity ? DENSITY_BYTES : PNG_KEPT.get(name);
    const isKept = most !== undefined && size <= most && (name === 'IDAT' || !seen.has(name));
    if (isKept || name === 'acTL' || name === 'IEND') seen.add(name);
    return isKept;
  });
  if (chunks === null || seen.has('acTL') || !seen.has('IEND')) return null;
  const [head, ...rest] = chunks.map(({ bytes }) => bytes);
  if (head === undefined) return null;
  return Buffer.concat([file.subarray(0, 8), head, ...(exif === null ? [] : [exif]), ...rest, PNG_END]);
}

/** As `jpegWithMetadata`, for a WebP; null for an animation, and where there is EXIF to write and no header for it. */
export function webpWithMetadata(file: Buffer, exif: Buffer | null): Buffer | null {
  const seen = new Set<string>();
  const chunks = chunksOf(file, RIFF, (name) => {
    const isKept = WEBP_KEPT.test(name) && !seen.has(name);
    if (isKept || name.startsWith('ANI')) seen.add(name);
    return isKept;
  });
  if (chunks === null || seen.has('ANIM') || seen.has('ANMF')) return null;
  const isExtended = chunks[0]?.name === 'VP8X';
  // Without that header there is nothing but the picture.
  const kept = (isExtended ? chunks : chunks.slice(0, 1)).map(({ bytes }) => bytes);
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
