import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { makeRenditions, RENDITIONS } from '../../src/imaging/renditions.ts';
import { configureSharp } from '../../src/imaging/sharp.ts';
import { NAMES } from './bare.ts';
import { median, type Figure } from './figure.ts';
import { scan } from './scan.ts';

const QUALITY = 85;
/** Each is short, and one round of each says little. */
const TIMES = 3;

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let time = 0; time < TIMES; time++) await work();
  return (performance.now() - began) / TIMES;
}

/** The four renditions that every photo gets, made of a JPEG of 12 megapixels. */
export const renditions: Figure = {
  name: 'renditions',
  async measure({ rounds, dir }) {
    configureSharp();
    const path = join(dir, 'scan.jpg');
    await writeFile(path, await scan());
    const made = async (): Promise<void> => {
      const files = await makeRenditions(path, 'jpeg', NAMES, dir, { quality: QUALITY });
      await Promise.all(files.map((file) => rm(file.path)));
    };
    const bare = async (): Promise<void> => {
      for (const name of NAMES) {
        const { side, effort } = RENDITIONS[name];
        const file = join(dir, 'bare.webp');
        await sharp(path)
          .autoOrient()
          .resize(side, side, { fit: 'inside', withoutEnlargement: true })
          .webp({ quality: QUALITY, effort })
          .toFile(file);
        await rm(file);
      }
    };
    await made();
    await bare();
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < Math.max(rounds, 5); round++) {
      theirs.push(await milliseconds(bare));
      ours.push(await milliseconds(made));
    }
    const ratios = ours.map((ms, round) => ms / theirs[round]!);
    return [
      {
        what: 'Four renditions of a 12-megapixel JPEG (150 to 1,200 pixels)',
        against: 'one bare sharp call for each',
        value: median(ratios),
        unit: '×',
        must: { atMost: 1.1 },
        detail: `${median(ours).toFixed(0)} ms to ${median(theirs).toFixed(0)} ms`,
        rounds: ratios,
      },
    ];
  },
};
