import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createBare } from './bare.ts';
import { median, type Figure } from './figure.ts';
import { restore } from './restore.ts';
import { freshBytes, scan } from './scan.ts';
import { WITHOUT_NETS } from '../helpers/without-nets.ts';
import { guest, startService } from './service.ts';

const CORES = availableParallelism();
/** The loops over pixels are compiled in every thread of the pool, which takes the first photos. */
const WARMING = 5;

/** A grainy, faded photo of 12 megapixels, from the upload to the result. */
export const photo: Figure = {
  name: 'photo',
  async measure({ rounds, dir, note }) {
    const jpeg = await scan();
    const folder = join(dir, 'bare');
    await mkdir(folder);
    const bare = createBare(folder);
    const service = await startService(join(dir, 'data'), { LOG_LEVEL: 'warn', ...WITHOUT_NETS });
    try {
      const token = await guest(service.url);
      for (let warming = 0; warming < WARMING; warming++) {
        await restore(service.url, token, freshBytes(jpeg));
        await bare.restore(jpeg);
      }
      const ours: number[] = [];
      const theirs: number[] = [];
      const work = { ours: 0, theirs: 0 };
      for (let round = 0; round < rounds; round++) {
        const before = process.cpuUsage();
        theirs.push(await bare.restore(jpeg));
        const { user, system } = process.cpuUsage(before);
        work.theirs += (user + system) / 1e6 / rounds;
        const begun = (await service.cpuSeconds()) ?? Number.NaN;
        ours.push(await restore(service.url, token, freshBytes(jpeg)));
        work.ours += (((await service.cpuSeconds()) ?? Number.NaN) - begun) / rounds;
        note(`${ours.at(-1)!.toFixed(2)} s to ${theirs.at(-1)!.toFixed(2)} s`);
      }
      const ratios = ours.map((seconds, round) => seconds / theirs[round]!);
      const seconds = median(ours);
      const peak = await service.peakRss();
      return [
        {
          what: 'A 12-megapixel JPEG through `auto` without nets, upload and renditions included',
          against: 'the same inspection, steps, encoding and renditions called bare in one process',
          value: median(ratios),
          unit: '×',
          must: { atMost: 1.1 },
          detail: `${seconds.toFixed(2)} s to ${median(theirs).toFixed(2)} s; of processor time ${work.ours.toFixed(1)} s to ${work.theirs.toFixed(1)} s`,
          rounds: ratios,
        },
        {
          what: `A 12-megapixel JPEG through \`auto\` without nets on ${CORES} cores`,
          against: null,
          value: seconds,
          unit: 's',
          must: { atMost: 5 },
          detail: peak === null ? '' : `peak of RSS ${peak.toFixed(0)} MB`,
          rounds: ours,
        },
      ];
    } finally {
      await Promise.all([service.stop(), bare.close()]);
    }
  },
};
