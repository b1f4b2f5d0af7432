import type { ImageHeader } from './header/header.ts';
import type { ImageFormat } from './limits.ts';

/**
 * Bytes that decoding holds at its highest for each pixel of 8-bit RGB(A), measured as the growth of the resident memory of a
 * fresh process with pictures of 49 megapixels, rounded up. In strips: JPEG 0.1 to 0.4, PNG 0.5 to 1.3. As a whole:
 * progressive JPEG 3.1 (6.2 without chroma subsampling), interlaced PNG 3.7, WebP 0.1 to 4.6 (lossless), TIFF 0.5 to 1.1 (but
 * one strip may be all of it), GIF 4.8, BMP 6.5, AVIF 18.5 (15.3 with 4:2:0 subsampling).
 */
const BYTES_PER_PIXEL: Readonly<Record<ImageFormat, { strips: number; whole: number }>> = {
  jpeg: { strips: 0.5, whole: 6.5 },
  png: { strips: 1.5, whole: 4 },
  webp: { strips: 5, whole: 5 },
  tiff: { strips: 4, whole: 4 },
  gif: { strips: 5, whole: 5 },
  bmp: { strips: 7, whole: 7 },
  avif: { strips: 15.5, whole: 18.5 },
};

/** Runs what decodes a picture, and takes about so many bytes, when there is room for it. */
export type WhenRoom = <T>(bytes: number, decode: () => Promise<T>) => Promise<T>;

/** A decoded picture and the copy of it in shared memory. */
const COPIES = 2;

const sampleBytes = ({ bitsPerSample }: ImageHeader): number => (bitsPerSample > 8 ? 2 : 1);

/** About how many bytes it takes to decode a picture into something small. */
export function decodingBytes(header: ImageHeader): number {
  const { format, width, height, inStrips = false } = header;
  const { strips, whole } = BYTES_PER_PIXEL[format];
  return width * height * (inStrips ? strips : whole) * sampleBytes(header);
}

/** The most that decoding a picture of this kind and size can take, in bytes, whatever its file looks like inside. */
export function mostDecodingBytes({
  format,
  width,
  height,
}: {
  format: ImageFormat;
  width: number;
  height: number;
}): number {
  return width * height * BYTES_PER_PIXEL[format].whole;
}

/** About how many bytes it takes to decode a picture into a raster. */
export function rasterBytes(header: ImageHeader): number {
  const { width, height, channels } = header;
  return Math.max(decodingBytes(header), width * height * channels * sampleBytes(header) * COPIES);
}
