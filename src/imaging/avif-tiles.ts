import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { BRAND, BRAND_AT } from './decode.ts';
import { itemTypes } from './header/avif.ts';
import { boxesIn, numberReader } from './header/boxes.ts';
import { DECODE_SECONDS, pixelLimit, type ImageLimits } from './limits.ts';
import { damaged } from './refusals.ts';

/** The parts of every grid of an AVIF, by its `iref` box (ISO/IEC 23008-12, 6.6.2.3), and a way to each of them. */
function tilesOf(bytes: Buffer) {
  const meta = boxesIn(bytes).find((box) => box.type === 'meta');
  const boxes = boxesIn(meta?.data.subarray(4) ?? Buffer.alloc(0));
  const dataOf = (type: string) => boxes.find((box) => box.type === type)?.data ?? Buffer.alloc(0);
  const [references, primary, types] = [dataOf('iref'), dataOf('pitm'), itemTypes(dataOf('iinf'))];
  const idBytes = references[0] === 0 ? 2 : 4;
  const tiles = boxesIn(references.subarray(4)).flatMap(({ type, data }) => {
    const next = numberReader(data);
    if (type !== 'dimg' || types.get(next(idBytes)) !== 'grid') return [];
    return Array.from({ length: next(2) }, () => next(idBytes));
  });
  // libheif shows no item that is marked as hidden, which tiles are.
  const entries = dataOf('iinf');
  for (const { data } of boxesIn(entries.subarray(entries[0] === 0 ? 6 : 8))) data[3] = (data[3] ?? 0) & 0xfe;
  const primaryBytes = primary[0] === 0 ? 2 : 4;
  if (primary.length < 4 + primaryBytes) throw damaged('AVIF');
  return { tiles: new Set(tiles), show: (id: number) => void primary.writeUIntBE(id, 4, primaryBytes) };
}

/**
 * Decodes each tile of an AVIF grid by itself. libheif leaves a tile that it cannot decode black and says nothing;
 * as a picture of its own a broken one is an error. All together have the time of one picture, since a small file can name
 * thousands of large ones that it never shows.
 *
 * @throws What sharp throws for a tile that does not decode; AppError CORRUPT_IMAGE; the signal's reason.
 */
export async function decodeTiles(path: string, limits: ImageLimits, signal?: AbortSignal): Promise<void> {
  const bytes = await readFile(path);
  bytes.write(BRAND, BRAND_AT, 'latin1');
  const { tiles, show } = tilesOf(bytes);
  const until = performance.now() + DECODE_SECONDS * 1000;
  for (const tile of tiles) {
    signal?.throwIfAborted();
    const seconds = Math.ceil((until - performance.now()) / 1000);
    if (seconds <= 0) throw new Error('timeout: the tiles take too long');
    show(tile);
    const image = sharp(bytes, { failOn: 'warning', limitInputPixels: pixelLimit(limits), pages: 1 });
    await image.timeout({ seconds }).resize(8, 8, { fit: 'fill' }).raw().toBuffer();
  }
}
