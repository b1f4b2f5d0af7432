import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configureSharp } from '../../src/imaging/sharp.ts';
import { openNets } from '../../src/inference/nets.ts';
import { createBuiltinProvider } from '../../src/providers/builtin.ts';
import { median, type Figure } from './figure.ts';
import { scan } from './scan.ts';

const [WIDTH, HEIGHT] = [4032, 3024];
const MEGAPIXELS = (WIDTH * HEIGHT) / 1e6;
const LIMITS = { FAST: 0.5, BEST: 1.5 } as const;
const MOST_ROUNDS = 3;

/** What `auto` takes with the nets, without a service round it: reading, measuring, every step and the gate. */
export const cost: Figure = {
  name: 'cost',
  async measure({ rounds, dir, note }) {
    configureSharp();
    const bytes = await scan(WIDTH, HEIGHT);
    const path = join(dir, 'scan.jpg');
    await writeFile(path, bytes);
    const nets = await openNets();
    const provider = createBuiltinProvider({ nets });
    const input = { path, format: 'jpeg', width: WIDTH, height: HEIGHT, bytes: bytes.length, mimeType: 'image/jpeg' };
    const seconds = async (quality: 'FAST' | 'BEST'): Promise<number> => {
      const began = performance.now();
      await provider.restore(
        { restorationId: 'bench', attempt: 1, model: 'auto', parameters: {}, options: { quality }, input },
        { signal: new AbortController().signal, onProgress() {} },
      );
      return (performance.now() - began) / 1000 / MEGAPIXELS;
    };
    try {
      // The loops over pixels are compiled with the first photo.
      await nets.tryAll();
      await seconds('FAST');
      const found = { FAST: [] as number[], BEST: [] as number[] };
      for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
        for (const quality of ['FAST', 'BEST'] as const) {
          found[quality].push(await seconds(quality));
          note(`${quality}: ${found[quality].at(-1)!.toFixed(2)} s/MP`);
        }
      }
      return (['FAST', 'BEST'] as const).map((quality) => ({
        what: `\`auto\` at ${quality} with the nets, a faded and grainy JPEG of 12 megapixels, per megapixel`,
        against: null,
        value: median(found[quality]),
        unit: 's' as const,
        must: { atMost: LIMITS[quality] },
        detail: `${(median(found[quality]) * MEGAPIXELS).toFixed(1)} s in all`,
        rounds: found[quality],
      }));
    } finally {
      await provider.close?.();
      await nets.close();
    }
  },
};
