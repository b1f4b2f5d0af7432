import type { Side } from './compare.ts';
import { openImage } from './decode.ts';

/** A JPEG to look at. */
export interface Miniature {
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
}

const QUALITY = 85;

/**
 * A small JPEG of a picture: upright, in sRGB, without metadata, on white where it is transparent, never enlarged.
 *
 * @param longest pixels of its longer side.
 * @throws what `openImage` throws; sharp's own error for a file that does not decode; the reason of `signal`.
 */
export async function miniatureOf({ path, format }: Side, longest: number, signal: AbortSignal): Promise<Miniature> {
  const image = await openImage(path, format, { signal });
  const { data, info } = await image
    .resize(longest, longest, { fit: 'inside', withoutEnlargement: true })
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .jpeg({ quality: QUALITY })
    .toBuffer({ resolveWithObject: true });
  signal.throwIfAborted();
  return { bytes: data, width: info.width, height: info.height };
}
