import { corrupt, damaged, tooLarge } from '../refusals.ts';
import type { HeaderReader } from './header.ts';

const MAX_CHUNKS = 100_000;

interface Size {
  readonly width: number;
  readonly height: number;
  readonly alpha: boolean;
}

const uint24 = (bytes: Buffer, offset: number) => bytes.readUIntLE(offset, 3);

/** The size in a VP8, VP8L or VP8X chunk, by the WebP container and bitstream specifications; null for any other. */
function sizeIn(type: string, data: Buffer): Size | null {
  if (data.length < 10) return null;
  if (type === 'VP8X') {
    return { width: uint24(data, 4) + 1, height: uint24(data, 7) + 1, alpha: ((data[0] ?? 0) & 0x10) !== 0 };
  }
  if (type === 'VP8 ') {
    if (uint24(data, 3) !== 0x2a019d) throw damaged('WebP');
    return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff, alpha: false };
  }
  if (type === 'VP8L') {
    if (data[0] !== 0x2f) throw damaged('WebP');
    const bits = data.readUInt32LE(1);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, alpha: (bits & 0x10000000) !== 0 };
  }
  return null;
}

/** WebP: walks the RIFF chunks, holds every frame to the canvas and counts the frames of an animation. */
export const readWebpHeader: HeaderReader = async (source, checkSize, maxFrames) => {
  const riff = await source.read(0, 12);
  const end = Math.min(source.size, riff.length < 12 ? 0 : riff.readUInt32LE(4) + 8);
  let canvas: Size | null = null;
  let frames = 0;
  let offset = 12;
  for (let chunks = 0; offset + 8 <= end; chunks++) {
    if (chunks > MAX_CHUNKS) throw tooLarge('This WebP file has too many parts. Save it again and retry.');
    const head = await source.read(offset, 32);
    if (head.length < 8) break;
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    const data = head.subarray(8);
    const size = sizeIn(type, data);
    if (size !== null) {
      if (canvas === null) checkSize({ width: size.width, height: size.height, channels: 4, bitsPerSample: 8 });
      else if (size.width > canvas.width || size.height > canvas.height) {
        throw corrupt('This WebP file holds a picture larger than it says; it is damaged.');
      }
      canvas ??= size;
    }
    if (type === 'ANMF') {
      if (data.length < 16 || canvas === null) throw damaged('WebP');
      const right = uint24(data, 0) * 2 + uint24(data, 6) + 1;
      const bottom = uint24(data, 3) * 2 + uint24(data, 9) + 1;
      if (right > canvas.width || bottom > canvas.height) {
        throw corrupt('This WebP animation has a frame larger than its canvas; it is damaged.');
      }
      frames += 1;
      if (maxFrames > 0 && frames > maxFrames) break;
    }
    offset += 8 + length + (length % 2);
  }
  if (canvas === null || canvas.width === 0 || canvas.height === 0) throw damaged('WebP');
  const { width, height, alpha } = canvas;
  return { format: 'webp', width, height, channels: alpha ? 4 : 3, bitsPerSample: 8, frames: Math.max(1, frames) };
};
