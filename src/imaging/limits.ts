/** The formats a photo may come in; what else an upload may be is refused. */
export const FORMATS = {
  jpeg: { mimeType: 'image/jpeg', label: 'JPEG' },
  png: { mimeType: 'image/png', label: 'PNG' },
  webp: { mimeType: 'image/webp', label: 'WebP' },
  tiff: { mimeType: 'image/tiff', label: 'TIFF' },
  gif: { mimeType: 'image/gif', label: 'GIF' },
  avif: { mimeType: 'image/avif', label: 'AVIF' },
  bmp: { mimeType: 'image/bmp', label: 'BMP' },
} as const;

export type ImageFormat = keyof typeof FORMATS;

/** What an uploaded picture may cost. 0 switches a limit off, except `maxDecodedBytes`. */
export interface ImageLimits {
  /** Pixels of one frame, in millions. Default 50. */
  readonly maxMegapixels: number;
  /** Longest side in pixels. Default 16,384. */
  readonly maxSide: number;
  /** Bytes of one decoded frame: width × height × channels × bytes per sample. Default 400,000,000. */
  readonly maxDecodedBytes: number;
  /** Frames of an animated GIF, WebP or PNG; only the first is used. Default 1,000. */
  readonly maxFrames?: number;
  /** Pages of a TIFF; only the first is used. Default 50. */
  readonly maxPages?: number;
  /** MIME types taken, e.g. `image/jpeg`; empty = all of `FORMATS`. */
  readonly allowedMimeTypes: readonly string[];
}

export const DEFAULT_LIMITS: ImageLimits = {
  maxMegapixels: 50,
  maxSide: 16_384,
  maxDecodedBytes: 400e6,
  maxFrames: 1000,
  maxPages: 50,
  allowedMimeTypes: [],
};

/** For files already judged and for our own results, which upscaling makes larger than any upload. */
export const STORED_LIMITS: ImageLimits = {
  maxMegapixels: 268,
  maxSide: 0,
  maxDecodedBytes: 2.2e9,
  allowedMimeTypes: [],
};

/** Seconds one native call on a picture may take before it is given up. */
export const DECODE_SECONDS = 15;

/** The pixel limit in the form sharp takes it: pixels, or `false` for none. */
export function pixelLimit(limits: ImageLimits): number | false {
  const fromBytes = Math.floor(limits.maxDecodedBytes);
  const fromPixels = limits.maxMegapixels > 0 ? Math.floor(limits.maxMegapixels * 1e6) : Infinity;
  const pixels = Math.min(fromPixels, fromBytes > 0 ? fromBytes : Infinity);
  return Number.isFinite(pixels) ? pixels : false;
}
