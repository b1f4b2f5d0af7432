const SOS = 0xda;
const EOI = 0xd9;
/** In the header of a JFIF and an Adobe segment: everything that a decoder reads. */
const JFIF_BYTES = 18;
const ADOBE_BYTES = 16;

/** Markers in the data of a scan that belong to it: stuffed bytes and restarts. */
const isPartOfScan = (marker: number): boolean => marker === 0 || (marker >= 0xd0 && marker <= 0xd7) || marker === 0xff;
/** Markers that nothing belongs to; none of them may stand between segments. */
const isBare = (marker: number): boolean => marker <= 1 || (marker >= 0xd0 && marker <= 0xd9);
/** Frames, tables, scans and restart intervals (ITU-T T.81, table B.1); decoders pass over all others. */
const isOfThePicture = (marker: number): boolean =>
  (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc8) || marker === SOS || marker === 0xdb || marker === 0xdd;

interface Segment {
  readonly marker: number;
  /** With its marker. */
  readonly bytes: Buffer;
}

/** More segments than any encoder writes; each takes memory while the file is written anew. */
const MOST_SEGMENTS = 2000;

/**
 * The segments of a JPEG up to its end that `wanted` asks for, the data of a scan with its header; null where the file does not go on as
 * the format says.
 */
function segmentsOf(file: Buffer, wanted: (segment: Segment) => boolean): Segment[] | null {
  const segments: Segment[] = [];
  let scans = 0;
  let at = 2;
  while (at + 4 <= file.length) {
    if (file[at] !== 0xff) return null;
    const marker = file[at + 1]!;
    // A fill byte.
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (isBare(marker)) return null;
    let end = at + 2 + file.readUInt16BE(at + 2);
    if (marker === SOS) {
      end = endOfScan(file, end);
      scans++;
    }
    if (end < at + 4 || end > file.length) return null;
    const segment = { marker, bytes: file.subarray(at, end) };
    if (wanted(segment)) {
      if (segments.length === MOST_SEGMENTS) return null;
      segments.push(segment);
    }
    if (file[end] === 0xff && file[end + 1] === EOI) return scans > 0 ? segments : null;
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

/** Segments that are free for applications and say how the pixels are to be shown. */
const isJfif = ({ marker, bytes }: Segment): boolean =>
  marker === 0xe0 && named(bytes, 'JFIF\0') && bytes.length >= JFIF_BYTES;
const isProfile = ({ marker, bytes }: Segment): boolean => marker === 0xe2 && named(bytes, 'ICC_PROFILE\0');
const isAdobe = ({ marker, bytes }: Segment): boolean =>
  marker === 0xee && named(bytes, 'Adobe') && bytes.length >= ADOBE_BYTES;

/** The head of a segment as one of its own; behind it stands a thumbnail, or anything. */
function cutTo(bytes: Buffer, length: number): Buffer {
  const head = Buffer.from(bytes.subarray(0, length));
  head.writeUInt16BE(length - 2, 2);
  return head;
}

/** A JFIF header without its thumbnail, and without a density unless it is to be kept. */
function bareJfif(bytes: Buffer, keepDensity: boolean): Buffer {
  const bare = cutTo(bytes, JFIF_BYTES);
  if (!keepDensity) Buffer.from([0, 0, 1, 0, 1]).copy(bare, 11);
  return bare.fill(0, 16);
}

/** The EXIF segment of a JPEG, or null. */
export function exifSegment(file: Buffer): Buffer | null {
  const found = segmentsOf(file, ({ marker, bytes }) => marker === 0xe1 && named(bytes, 'Exif\0\0'));
  return found?.[0]?.bytes ?? null;
}

/**
 * A JPEG with the same compressed pixels and other metadata: everything that applications have put there goes, and whatever lies
 * behind the picture; `exif` comes in. Null where the file is not as the format says.
 */
export function jpegWithMetadata(file: Buffer, exif: Buffer | null, keepDensity: boolean): Buffer | null {
  const segments = segmentsOf(
    file,
    (segment) => isOfThePicture(segment.marker) || isJfif(segment) || isProfile(segment) || isAdobe(segment),
  );
  if (segments === null) return null;
  const kept = segments.map((segment) => {
    if (isJfif(segment)) return bareJfif(segment.bytes, keepDensity);
    return isAdobe(segment) ? cutTo(segment.bytes, ADOBE_BYTES) : segment.bytes;
  });
  const header = segments[0]?.marker === 0xe0 ? 1 : 0;
  const inserted = exif === null ? kept : [...kept.slice(0, header), exif, ...kept.slice(header)];
  return Buffer.concat([Buffer.from([0xff, 0xd8]), ...inserted, Buffer.from([0xff, EOI])]);
}
