import type { Sharp } from 'sharp';
import { metadataOf } from './company.ts';
import { COPY_CHUNK, createRaster, type Channels, type Raster } from './raster.ts';

/**
 * Decodes an opened image completely. Grey stays grey and 16 bits stay 16 bits; everything else becomes 8-bit sRGB,
 * and so does 8-bit grey with transparency, whose transparency sharp would drop.
 * Throws what sharp throws for a file that does not decode, and an AbortError when the signal fires
 * (a decode that has begun runs to its end, its result is dropped).
 */
export async function readRaster(image: Sharp, signal?: AbortSignal): Promise<Raster> {
  signal?.throwIfAborted();
  const meta = await metadataOf(image);
  const wide = meta.depth !== 'uchar';
  const grey = (meta.space === 'b-w' || meta.space === 'grey16') && (wide || !meta.hasAlpha);
  const decoded = await image
    .clone()
    .toColourspace(grey ? (wide ? 'grey16' : 'b-w') : wide ? 'rgb16' : 'srgb')
    .raw({ depth: wide ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true });
  signal?.throwIfAborted();
  const { width, height, channels } = decoded.info;
  const raster = createRaster({ width, height, channels: channels as Channels, depth: wide ? 16 : 8 });
  const bytes = new Uint8Array(raster.data.buffer);
  // In pieces, so that a large picture does not hold up the event loop.
  for (let at = 0; at < bytes.length; at += COPY_CHUNK) {
    bytes.set(decoded.data.subarray(at, at + COPY_CHUNK), at);
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
  return raster;
}
