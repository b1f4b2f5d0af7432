import { setTimeout as wait } from 'node:timers/promises';
import type { Figure } from './figure.ts';
import { guest, startService } from './service.ts';
import { openWatcher, type Watcher } from './watcher.ts';

const SUBSCRIPTIONS = 100;
const SETTLE_MS = 5000;
const WINDOW_MS = 5000;

const FOLLOW = 'subscription { viewerActivity { cursor kind } }';

/** What the service costs while nothing happens and a hundred clients wait for something to happen. */
export const idle: Figure = {
  name: 'idle',
  async measure({ rounds, dir, note }) {
    const service = await startService(dir);
    const watchers: Watcher[] = [];
    const [cpu, rss]: [number[], number[]] = [[], []];
    try {
      const token = await guest(service.url);
      for (let n = 0; n < SUBSCRIPTIONS; n++) {
        watchers.push(await openWatcher(service.url, { token, onMessage() {} }));
      }
      for (const { send } of watchers) send({ type: 'subscribe', id: '1', payload: { query: FOLLOW } });
      await wait(SETTLE_MS);
      for (let round = 0; round < rounds; round++) {
        const [before, began] = [(await service.cpuSeconds()) ?? Number.NaN, performance.now()];
        await wait(WINDOW_MS);
        const used = ((await service.cpuSeconds()) ?? Number.NaN) - before;
        cpu.push((100_000 * used) / (performance.now() - began));
        rss.push((await service.rss()) ?? Number.NaN);
        note(`${cpu.at(-1)?.toFixed(2)} % of a core, ${rss.at(-1)?.toFixed(0)} MB`);
      }
    } finally {
      for (const { close } of watchers) close();
      await service.stop();
    }
    const seconds = (rounds * WINDOW_MS) / 1000;
    // Of the whole time: what wakes up now and then falls into one window or another.
    const mean = cpu.reduce((sum, share) => sum + share, 0) / cpu.length;
    return [
      {
        what: `Idle with ${SUBSCRIPTIONS} open subscriptions: processor`,
        against: null,
        value: mean,
        unit: '%',
        must: { atMost: 1 },
        detail: `of one core, over ${seconds} s`,
        rounds: cpu,
      },
      {
        what: `Idle with ${SUBSCRIPTIONS} open subscriptions: memory`,
        against: null,
        value: Math.max(...rss),
        unit: 'MB',
        must: { atMost: 200 },
        detail: 'resident, the highest seen',
        rounds: rss,
      },
    ];
  },
};
