import { join } from 'node:path';
import sharp from 'sharp';
import { gaussian } from '../fixtures/damage.ts';

const PHOTO = join(import.meta.dirname, '..', 'fixtures', 'photos', 'coffee.png');
/** σ of the grain in 8-bit levels: enough for the denoiser to run at full strength. */
const GRAIN = 9;
/** What fading and a warm light have left of each channel: lowest level and share of the range. */
const FADED = { lift: 0.16, range: 0.64, cast: [1, 0.95, 0.78] } as const;

/**
 * A scan of a grainy, faded print, the same bytes in every run: a photograph enlarged to `width` × `height`, faded, and grain
 * over it, as JPEG quality 92. Every step of `auto` but the sharpening has something to do.
 */
export async function scan(width = 4032, height = 3024): Promise<Buffer> {
  const { data } = await sharp(PHOTO)
    .resize(width, height, { fit: 'cover' })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const normal = gaussian(12);
  // One long table of normal numbers, read from a new place in every row: enough for grain, and quick to make.
  const grains = Float32Array.from({ length: 1 << 20 }, () => normal() * GRAIN);
  const tables = FADED.cast.map((cast) =>
    Float32Array.from({ length: 256 }, (_, level) => (FADED.lift * 255 + level * FADED.range) * cast),
  );
  for (let y = 0, at = 0; y < height; y++) {
    const from = Math.imul(y, 7919);
    for (let x = 0; x < width; x++) {
      const grain = grains[(from + x) & (grains.length - 1)]!;
      for (let c = 0; c < 3; c++, at++) {
        data[at] = Math.min(255, Math.max(0, Math.round(tables[c]![data[at]!]! + grain)));
      }
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 92 })
    .toBuffer();
}

/** The same picture in bytes that no service has seen: a comment behind the first marker. */
export function freshBytes(jpeg: Buffer): Buffer {
  const text = Buffer.from(crypto.randomUUID());
  const head = Buffer.from([0xff, 0xfe, 0, text.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), head, text, jpeg.subarray(2)]);
}
