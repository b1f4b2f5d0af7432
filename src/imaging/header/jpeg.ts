import { corrupt, damaged, tooLarge, unsupported } from '../refusals.ts';
import type { HeaderReader, ImageHeader } from './header.ts';
import type { ByteSource } from './source.ts';

const MAX_SEGMENTS = 4096;
/** A progressive photo has about ten scans; each one costs a pass over all coefficients. */
const MAX_SCANS = 100;
const MAX_PADDING = 4096;
const SCAN_CHUNK = 64 * 1024;

const START_OF_FRAME = new Set([0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]);
/** Baseline, extended, progressive and their arithmetic kin; lossless and hierarchical are nobody's photos. */
const DECODABLE = new Set([0xc0, 0xc1, 0xc2, 0xc9, 0xca]);
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;

const hasNoLength = (marker: number) => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8);

/** The next marker at or after `offset`; stray bytes between segments are stepped over, as decoders do. */
async function nextMarker(source: ByteSource, offset: number): Promise<{ marker: number; end: number } | null> {
  const bytes = await source.read(offset, MAX_PADDING);
  for (let i = bytes.indexOf(0xff); i >= 0 && i + 1 < bytes.length; i = bytes.indexOf(0xff, i + 1)) {
    const marker = bytes[i + 1] ?? 0;
    if (marker !== 0xff && marker !== 0) return { marker, end: offset + i + 2 };
  }
  return null;
}

/** The end of the entropy-coded data from `offset`: the place of the next marker that is no restart marker. */
async function endOfScan(source: ByteSource, offset: number): Promise<number> {
  for (let start = offset; start < source.size - 1; start += SCAN_CHUNK - 1) {
    const bytes = await source.read(start, SCAN_CHUNK);
    for (let i = bytes.indexOf(0xff); i >= 0 && i + 1 < bytes.length; i = bytes.indexOf(0xff, i + 1)) {
      const marker = bytes[i + 1] ?? 0;
      if (marker !== 0 && marker !== 0xff && !(marker >= 0xd0 && marker <= 0xd7)) return start + i;
    }
  }
  return source.size;
}

/** JPEG by ITU-T T.81: walks the segments to the frame header, then counts the scans up to the end marker. */
export const readJpegHeader: HeaderReader = async (source, checkSize) => {
  let header: ImageHeader | null = null;
  let scans = 0;
  let offset = 2;
  for (let segments = 0; ; segments++) {
    if (segments > MAX_SEGMENTS) throw tooLarge('This JPEG file has thousands of segments. Save it again and retry.');
    const found = await nextMarker(source, offset);
    if (found === null || found.marker === END_OF_IMAGE) break;
    offset = found.end;
    if (hasNoLength(found.marker)) continue;
    const segment = await source.read(offset, 10);
    if (segment.length < 2 || segment.readUInt16BE() < 2) throw damaged('JPEG');
    const length = segment.readUInt16BE();
    if (START_OF_FRAME.has(found.marker)) {
      if (header !== null) throw corrupt('This JPEG file has two frame headers; it is damaged.');
      if (segment.length < 8) throw damaged('JPEG');
      header = frameHeader(found.marker, segment);
      checkSize(header);
    }
    offset += length;
    if (found.marker === START_OF_SCAN) {
      if (++scans > MAX_SCANS)
        throw tooLarge(`This JPEG file has more than ${MAX_SCANS} scans. Save it again and retry.`);
      offset = await endOfScan(source, offset);
    }
  }
  if (header === null || scans === 0) throw damaged('JPEG');
  // More scans than one are put together in memory first.
  return { ...header, inStrips: scans === 1 };
};

function frameHeader(marker: number, segment: Buffer): ImageHeader {
  if (!DECODABLE.has(marker)) {
    throw unsupported('Lossless and hierarchical JPEG files cannot be read here. Save it as a usual JPEG or as PNG.');
  }
  if (segment.readUInt8(2) !== 8) {
    throw unsupported('JPEG files with more than 8 bits per colour cannot be read here. Save it as PNG or TIFF.');
  }
  const height = segment.readUInt16BE(3);
  const width = segment.readUInt16BE(5);
  const channels = segment.readUInt8(7);
  if (width === 0 || height === 0) throw corrupt('This JPEG file does not say how large it is; it is damaged.');
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw unsupported(`A JPEG file with ${channels} colour channels cannot be read here.`);
  }
  return { format: 'jpeg', width, height, channels, bitsPerSample: 8, frames: 1 };
}
