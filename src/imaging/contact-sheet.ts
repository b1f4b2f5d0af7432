import sharp from 'sharp';
import type { Miniature } from './miniature.ts';
import { writePicture } from './write.ts';

/** Before and after of one photo; null where there is none. */
export interface SheetPair {
  readonly before: Miniature | null;
  readonly after: Miniature | null;
}

/** Pixels of the whole, about: what an image viewer opens at once. */
const PIXELS = 24e6;
const GAP = 24;
const DIVIDER = 4;
const LARGEST = 640;
const SMALLEST = 48;
const WHITE = '#ffffff';
const EMPTY = '#d8d8d8';

/** Pixels of the longest side of a picture on a sheet of so many photos. */
export function sheetSide(photos: number): number {
  const fitting = Math.sqrt(PIXELS / (2 * Math.max(1, photos)));
  return Math.round(Math.max(SMALLEST, Math.min(LARGEST, fitting)));
}

/**
 * Writes a sheet of many photos, before and after side by side, as a JPEG; a grey field where there is no picture.
 *
 * @param path the file to write.
 * @throws the reason of `signal`, before anything is written.
 */
export async function writeContactSheet(pairs: readonly SheetPair[], path: string, signal: AbortSignal): Promise<void> {
  const side = sheetSide(pairs.length);
  const columns = Math.max(1, Math.round(Math.sqrt(pairs.length / 2)));
  const rows = Math.ceil(pairs.length / columns);
  const step = { x: 2 * side + DIVIDER + GAP, y: side + GAP };
  const layers = await Promise.all(
    pairs.flatMap(({ before, after }, index) =>
      [before, after].map(async (picture, half) => {
        const image =
          picture === null
            ? sharp({ create: { width: side, height: side, channels: 3, background: EMPTY } })
            : sharp(picture.bytes).resize(side, side, { fit: 'inside' });
        const { data, info } = await image.png({ compressionLevel: 1 }).toBuffer({ resolveWithObject: true });
        // The two meet at the line between them.
        const x = half === 0 ? side - info.width : side + DIVIDER;
        return {
          input: data,
          left: GAP + (index % columns) * step.x + x,
          top: GAP + Math.floor(index / columns) * step.y + Math.floor((side - info.height) / 2),
        };
      }),
    ),
  );
  signal.throwIfAborted();
  const sheet = sharp({
    create: { width: GAP + columns * step.x, height: GAP + rows * step.y, channels: 3, background: WHITE },
  });
  await writePicture(sheet.composite(layers).jpeg({ quality: 88 }), path);
}
