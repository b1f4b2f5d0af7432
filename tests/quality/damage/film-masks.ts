import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Plane } from '../picture.ts';
import type { Random } from '../random.ts';
import type { Coverage } from './strokes.ts';

/** Damage as it lies on film: 1 where the picture is covered. */
export interface FilmMask {
  readonly width: number;
  readonly height: number;
  readonly alpha: Plane;
}

const MOST = 200;
/** What covers more of the film is a stain or a burn, not a scratch: no mask of thin damage. */
const MOST_COVERAGE = 0.04;

/**
 * Masks of thin damage among at most 200 files of a folder and its subfolders, evenly chosen: PNG files whose alpha is the
 * damage.
 */
export async function readFilmMasks(folder: string): Promise<readonly FilmMask[]> {
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.png')).toSorted();
  const every = Math.max(1, Math.ceil(files.length / MOST));
  const chosen = files.filter((_, i) => i % every === 0);
  const masks = await Promise.all(
    chosen.map(async (file) => {
      const { data, info } = await sharp(join(folder, file))
        .ensureAlpha()
        .extractChannel('alpha')
        .raw()
        .toBuffer({ resolveWithObject: true });
      return { width: info.width, height: info.height, alpha: Float32Array.from(data, (level) => level / 255) };
    }),
  );
  const coverage = ({ alpha }: FilmMask): number => alpha.filter((share) => share > 0.3).length / alpha.length;
  return masks.filter((mask) => coverage(mask) <= MOST_COVERAGE);
}

/** A mask somewhere on the picture, perhaps mirrored and turned by a quarter. */
export function pasteFilmDamage(
  { width, height, alpha }: FilmMask,
  size: { readonly width: number; readonly height: number },
  random: Random,
): Coverage {
  const left = random.whole(size.width) - width / 2;
  const top = random.whole(size.height) - height / 2;
  const [turned, mirrored] = [random.uniform() < 0.5, random.uniform() < 0.5];
  const covered: Coverage = new Map();
  alpha.forEach((share, i) => {
    if (share < 0.05) return;
    const column = mirrored ? width - 1 - (i % width) : i % width;
    const row = Math.floor(i / width);
    const x = Math.round(left + (turned ? row : column));
    const y = Math.round(top + (turned ? column : row));
    if (x >= 0 && y >= 0 && x < size.width && y < size.height) covered.set(y * size.width + x, share);
  });
  return covered;
}
