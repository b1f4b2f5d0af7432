import sharp from 'sharp';
import type { Damaged } from '../damage/kinds.ts';
import { luma, toBytes, type Picture } from '../picture.ts';
import { BICUBIC, resample } from '../resample.ts';
import type { Trial } from '../run.ts';

const SIDE = 288;
const GAP = 6;

interface Row {
  readonly name: string;
  readonly tiles: readonly Buffer[];
}

/** Collects rows of before | after | clean. */
export interface Sheet {
  add(trial: Trial, damaged: Damaged, result: Picture): void;
  /** Writes a PNG; says which rows it has, from the top. */
  write(path: string): Promise<readonly string[]>;
}

/** The place with the most detail, so that a crop shows something: the square of the largest sum of differences. */
function detailed(picture: Picture): { left: number; top: number; width: number; height: number } {
  const [width, height] = [Math.min(SIDE, picture.width), Math.min(SIDE, picture.height)];
  const plane = luma(picture);
  let best = { left: 0, top: 0, detail: -1 };
  for (let top = 0; top <= picture.height - height; top += 32) {
    for (let left = 0; left <= picture.width - width; left += 32) {
      let detail = 0;
      for (let y = top; y < top + height; y += 2) {
        for (let x = left + 1; x < left + width; x += 2) {
          detail += Math.abs(plane[y * picture.width + x]! - plane[y * picture.width + x - 1]!);
        }
      }
      if (detail > best.detail) best = { left, top, detail };
    }
  }
  return { left: best.left, top: best.top, width, height };
}

/** Crops at 100 % of what `method` made of pictures of the strength `strength`. */
export function createSheet(method: string, strength: string): Sheet {
  const rows: Promise<Row>[] = [];
  return {
    add(trial, damaged, result) {
      const only = !['light', 'medium', 'strong'].includes(trial.strength);
      if (trial.method !== method || !(only || trial.strength === strength)) return;
      const { clean } = damaged;
      const before =
        damaged.picture.width === clean.width
          ? damaged.picture
          : resample(damaged.picture, clean.width, clean.height, BICUBIC);
      const place = detailed(clean);
      const tiles = [before, result, clean].map((picture) =>
        sharp(toBytes(picture), { raw: { width: picture.width, height: picture.height, channels: 3 } })
          .extract(place)
          .png()
          .toBuffer(),
      );
      const { psnr } = trial.after;
      const name = `${trial.picture} ${trial.kind} ${trial.strength}: ${trial.before.psnr.toFixed(2)} → ${psnr.toFixed(2)} dB`;
      rows.push(Promise.all(tiles).then((done) => ({ name, tiles: done })));
    },
    async write(path) {
      const done = await Promise.all(rows);
      if (done.length === 0) return [];
      const layers = done.flatMap(({ tiles }, y) =>
        tiles.map((input, x) => ({ input, left: x * (SIDE + GAP), top: y * (SIDE + GAP) })),
      );
      const [width, height] = [3 * (SIDE + GAP) - GAP, done.length * (SIDE + GAP) - GAP];
      await sharp({ create: { width, height, channels: 3, background: '#fff' } })
        .composite(layers)
        .png()
        .toFile(path);
      return done.map(({ name }) => name);
    },
  };
}
