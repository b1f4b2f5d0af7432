import type { ImageFormat } from '../limits.ts';
import { readAvifHeader } from './avif.ts';
import { readBmpHeader } from './bmp.ts';
import { readGifHeader } from './gif.ts';
import type { HeaderReader } from './header.ts';
import { readJpegHeader } from './jpeg.ts';
import { readPngHeader } from './png.ts';
import { readTiffHeader } from './tiff.ts';
import { readWebpHeader } from './webp.ts';

export const HEADER_READERS: Readonly<Record<ImageFormat, HeaderReader>> = {
  jpeg: readJpegHeader,
  png: readPngHeader,
  webp: readWebpHeader,
  tiff: readTiffHeader,
  gif: readGifHeader,
  avif: readAvifHeader,
  bmp: readBmpHeader,
};
