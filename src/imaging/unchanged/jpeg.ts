const SOS = 0xda;
const EOI = 0xd9;
const COMMENT = 0xfe;

/** Markers in the data of a scan that belong to it: stuffed bytes and restarts. */
const isPartOfScan = (marker: number): boolean => marker === 0 || (marker >= 0xd0 && marker <= 0xd7) || marker === 0xff;

interface Segment {
  readonly marker: number;
  /** With its marker. */
  readonly bytes: Buffer;
}

/** The segments of a JPEG up to its end, the data of a scan with its header; null where it does not go on as the format says. */
function segmentsOf(file: Buffer): Segment[] | null {
  const segments: Segment[] = [];
  let at = 2;
  while (at + 4 <= file.length) {
    if (file[at] !== 0xff) return null;
    const marker = file[at + 1]!;
    // A fill byte.
    if (marker === 0xff) {
      at++;
      continue;
    }
    let end = at + 2 + file.readUInt16BE(at + 2);
    if (marker === SOS) end = endOfScan(file, end);
    if (end > file.length) return null;
    segments.push({ marker, bytes: file.subarray(at, end) });
    if (file[end + 1] === EOI) return segments;
    at = end;
  }
  return null;
}

function endOfScan(file: Buffer, from: number): number {
  for (let at = from; ; at += 2) {
    at = file.indexOf(0xff, at);
    if (at < 0 || at + 1 >= file.length) return Infinity;
    if (!isPartOfScan(file[at + 1]!)) return at;
    if (file[at + 1] === 0xff) at--;
  }
}

const named = (bytes: Buffer, name: string): boolean => bytes.toString('latin1', 4, 4 + name.length) === name;

/** Segments that say how the pixels are to be shown, of those that are free for applications. */
function isForDecoding({ marker, bytes }: Segment): boolean {
  if (marker === 0xe0) return named(bytes, 'JFIF\0');
  if (marker === 0xe2) return named(bytes, 'ICC_PROFILE\0');
  return marker === 0xee && named(bytes, 'Adobe');
}

/** A JFIF header without a density. */
function withoutDensity(bytes: Buffer): Buffer {
  const bare = Buffer.from(bytes);
  if (bare.length >= 18) Buffer.from([0, 0, 1, 0, 1, 0, 0]).copy(bare, 11);
  return bare.length > 18 ? Buffer.concat([bare.subarray(0, 2), Buffer.from([0, 16]), bare.subarray(4, 18)]) : bare;
}

/** The EXIF segment of a JPEG, or null. */
export function exifSegment(file: Buffer): Buffer | null {
  return segmentsOf(file)?.find(({ marker, bytes }) => marker === 0xe1 && named(bytes, 'Exif\0\0'))?.bytes ?? null;
}

/**
 * A JPEG with the same compressed pixels and other metadata: everything that applications have put there goes, and whatever lies
 * behind the picture; `exif` comes in. Null where the file is not as the format says.
 */
export function jpegWithMetadata(file: Buffer, exif: Buffer | null, keepDensity: boolean): Buffer | null {
  const segments = segmentsOf(file);
  if (segments === null) return null;
  const kept = segments
    .filter((segment) => segment.marker < 0xe0 || (segment.marker !== COMMENT && isForDecoding(segment)))
    .map(({ marker, bytes }) => (marker === 0xe0 && !keepDensity ? withoutDensity(bytes) : bytes));
  const header = segments[0]?.marker === 0xe0 ? 1 : 0;
  const inserted = exif === null ? kept : [...kept.slice(0, header), exif, ...kept.slice(header)];
  return Buffer.concat([Buffer.from([0xff, 0xd8]), ...inserted, Buffer.from([0xff, EOI])]);
}
