import { connect } from 'node:net';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { median, type Figure } from './figure.ts';
import { restore } from './restore.ts';
import { freshBytes, scan } from './scan.ts';
import { guest, startNode } from './service.ts';

const AT_ONCE = 2;

interface Delay {
  readonly p99: number;
  readonly max: number;
}

/** How long the service's event loop keeps others waiting while two photos of 12 megapixels come in and are restored. */
export const eventLoop: Figure = {
  name: 'event-loop',
  async measure({ rounds, dir, note }) {
    const jpeg = await scan();
    const socket = join(dir, 'delay.sock');
    const args = ['--max-semi-space-size=8', '--import', './tests/bench/loop-delay.ts', 'src/main.ts'];
    const service = await startNode(args, {
      PORT: '0',
      DATA_DIR: join(dir, 'data'),
      LOG_LEVEL: 'warn',
      BENCH_LOOP_DELAY_SOCKET: socket,
    });
    const sinceLast = async (): Promise<Delay> => (await json(connect(socket))) as Delay;
    try {
      const tokens = await Promise.all(Array.from({ length: AT_ONCE }, () => guest(service.url)));
      const two = (): Promise<unknown> =>
        Promise.all(tokens.map((token) => restore(service.url, token, freshBytes(jpeg))));
      await two();
      const delays: Delay[] = [];
      for (let round = 0; round < rounds; round++) {
        await sinceLast();
        await two();
        const delay = await sinceLast();
        delays.push(delay);
        note(`p99 ${delay.p99.toFixed(1)} ms, longest ${delay.max.toFixed(0)} ms`);
      }
      const p99s = delays.map(({ p99 }) => p99);
      const longest = Math.max(...delays.map(({ max }) => max));
      const peak = await service.peakRss();
      return [
        {
          what: 'Event-loop delay, 99th percentile, while two 12-megapixel photos are processed',
          against: null,
          value: median(p99s),
          unit: 'ms',
          must: { atMost: 50 },
          detail: `longest ${longest.toFixed(0)} ms${peak === null ? '' : `, peak of RSS ${peak.toFixed(0)} MB`}`,
          rounds: p99s,
        },
      ];
    } finally {
      await service.stop();
    }
  },
};
