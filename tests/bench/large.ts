import { setTimeout as wait } from 'node:timers/promises';
import { median, type Figure } from './figure.ts';
import { submit, succeeded } from './restore.ts';
import { freshBytes, scan } from './scan.ts';
import { ask, guest, startService } from './service.ts';

const [WIDTH, HEIGHT] = [8656, 5776];
const STATE = 'query ($id: ID!) { restoration(id: $id) { status stage percent } }';
const CANCEL = 'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { status } } }';
/** Cancelled when the net is in the middle of its tiles. */
const FROM = { stage: 'DENOISING', percent: 40 } as const;
/** What has begun may end: after so long nothing works on the photo any more. */
const LAST_TILE_MS = 2000;
const WINDOW_MS = 2000;
const MOST_ROUNDS = 3;

/** A scan of 50 megapixels, with the nets: memory, and what a cancel leaves running. */
export const large: Figure = {
  name: 'large',
  async measure({ rounds, dir, note }) {
    const jpeg = await scan(WIDTH, HEIGHT);
    const service = await startService(dir, { LOG_LEVEL: 'warn', MAX_UPLOAD_SIZE_MB: '60' });
    const [cancels, afterwards]: [number[], number[]] = [[], []];
    try {
      const token = await guest(service.url);
      // The nets are loaded and tried with the first photo, however small.
      const { restorationId: first } = await submit(service.url, token, await scan(1024, 768), { quality: 'BEST' });
      await succeeded(service.url, token, first);
      await wait(LAST_TILE_MS);
      const idle = (await service.rss()) ?? Number.NaN;
      const began = performance.now();
      // What takes most: every net at full size, and copies of the photo beside it.
      const { restorationId: whole } = await submit(service.url, token, jpeg, { quality: 'BEST' });
      await succeeded(service.url, token, whole);
      const seconds = (performance.now() - began) / 1000;
      const grown = ((await service.peakRss()) ?? Number.NaN) - idle;
      note(`${seconds.toFixed(1)} s, ${grown.toFixed(0)} MB over ${idle.toFixed(0)} MB`);

      for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round++) {
        const { restorationId: id } = await submit(service.url, token, freshBytes(jpeg), { quality: 'FAST' });
        for (;;) {
          const { restoration } = await ask(service.url, STATE, { id }, token);
          if (restoration.stage === FROM.stage && restoration.percent >= FROM.percent) break;
          if (!['QUEUED', 'RUNNING'].includes(restoration.status)) {
            throw new Error(`It is ${restoration.status} before it could be cancelled.`);
          }
          await wait(20);
        }
        const asked = performance.now();
        const { status } = (await ask(service.url, CANCEL, { id }, token)).cancelRestoration.restoration;
        if (status !== 'CANCELLED') throw new Error(`After the cancel it is ${status}.`);
        cancels.push(performance.now() - asked);
        await wait(LAST_TILE_MS);
        const before = (await service.cpuSeconds()) ?? Number.NaN;
        await wait(WINDOW_MS);
        afterwards.push((1e5 * (((await service.cpuSeconds()) ?? Number.NaN) - before)) / WINDOW_MS);
        note(`cancelled in ${cancels.at(-1)!.toFixed(0)} ms, then ${afterwards.at(-1)!.toFixed(1)} % of a core`);
      }
      const what = `A scan of ${((WIDTH * HEIGHT) / 1e6).toFixed(0)} megapixels through \`auto\``;
      return [
        {
          what: `${what} at BEST: peak of RSS over that of the idle service`,
          against: null,
          value: grown,
          unit: 'MB',
          must: { atMost: 1200 },
          detail: `${seconds.toFixed(1)} s`,
          rounds: [grown],
        },
        {
          what: `${what} at FAST: from a cancel amid the tiles until it is CANCELLED`,
          against: null,
          value: median(cancels),
          unit: 'ms',
          must: { atMost: 500 },
          detail: '',
          rounds: cancels,
        },
        {
          what: `${what} at FAST: processor time ${LAST_TILE_MS / 1000} s after the cancel, of a core`,
          against: null,
          value: median(afterwards),
          unit: '%',
          must: { atMost: 5 },
          detail: '',
          rounds: afterwards,
        },
      ];
    } finally {
      await service.stop();
    }
  },
};
