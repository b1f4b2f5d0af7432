import { open } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { decodeBmp, type BmpPixels } from './bmp-pixels.ts';
import { BMP_HEADER_BYTES, bmpLayout, bmpPixelBytes } from './header/bmp.ts';
import { HEADER_READERS } from './header/index.ts';
import { openSource } from './header/source.ts';
import type { ImageLimits } from './limits.ts';
import { sizeCheck } from './size-check.ts';
import { damaged } from './refusals.ts';

/** Above this many pixels the loop over them runs beside the main thread. */
const INLINE_PIXELS = 1e6;

function decodeInWorker(bytes: Uint8Array<ArrayBuffer>, signal?: AbortSignal): Promise<BmpPixels> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./bmp-worker.ts', import.meta.url), {
      workerData: bytes,
      transferList: [bytes.buffer],
    });
    const stop = () => {
      reject(signal?.reason instanceof Error ? signal.reason : new DOMException('Aborted', 'AbortError'));
      void worker.terminate();
    };
    signal?.addEventListener('abort', stop, { once: true });
    worker.once('message', resolve);
    worker.once('error', (error) => reject(damaged('BMP', error)));
    worker.once('exit', () => {
      signal?.removeEventListener('abort', stop);
      reject(damaged('BMP'));
    });
  });
}

/**
 * The pixels of a BMP, 8-bit RGB or RGBA, top row first. Reads as many bytes as the header
 * needs and no more, after the limits were held against it.
 *
 * @throws AppError CORRUPT_IMAGE, UNSUPPORTED_IMAGE or IMAGE_TOO_LARGE; the signal's reason.
 */
export async function readBmp(
  path: string,
  limits: ImageLimits,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BmpPixels> {
  const { signal } = options;
  await using source = await openSource(path, signal);
  const { width, height } = await HEADER_READERS.bmp(source, sizeCheck(limits), 0);
  const layout = bmpLayout(await source.read(0, BMP_HEADER_BYTES));
  const bytes = new Uint8Array(Math.min(source.size, layout.pixelsAt + bmpPixelBytes(layout)));
  await using file = await open(path, 'r');
  let filled = 0;
  while (filled < bytes.length) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
    if (bytesRead === 0) throw damaged('BMP');
    filled += bytesRead;
  }
  return width * height <= INLINE_PIXELS ? decodeBmp(bytes) : decodeInWorker(bytes, signal);
}
