import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { queryObjects } from 'node:v8';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { startService } from '../bench/service.ts';
import { openWatcher, type Watcher } from '../bench/watcher.ts';
import { appForTest, clientOf, UPLOAD } from '../helpers/app.ts';
import { openBareSocket, OPCODE } from '../helpers/raw-frames.ts';
import { ACTIVITY, FOLLOW, idle, jpeg, until } from '../helpers/service.ts';

/** What each async generator is an instance of, whichever function made it. */
const AsyncGenerator = Object.assign(function AsyncGenerator() {}, {
  prototype: Object.getPrototypeOf(Object.getPrototypeOf((async function* () {})())) as object,
});

const RESTORE = 'mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }';

it('C46: 10,000 sockets come and go, each in its own way, and leave nothing behind', async () => {
  const app = await appForTest({ TRUST_PROXY: 'true' });
  const token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(1) } }, {}, token);
  const { id } = (await app.ok(RESTORE, { id: data.uploadPhoto.photo.id }, token)).restorePhoto.restoration;
  await idle(app);

  /** By turns: gone before init, after it, with a subscription, after one has ended, and after one was completed. */
  async function visit(n: number): Promise<void> {
    const messages: string[] = [];
    const { socket, send } = await openBareSocket(app.url, {
      headers: { 'X-Forwarded-For': `10.0.${n % 7}.${n % 200}` },
      onFrame: (opcode, payload) => void (opcode === OPCODE.text && messages.push(payload.toString())),
    });
    const seen = (type: string) => until(() => messages.some((text) => text.includes(`"${type}"`)), 10_000, 2);
    const turn = n % 5;
    if (turn > 0) {
      send({ type: 'connection_init', payload: { authorization: token } });
      await seen('connection_ack');
    }
    if (turn === 2 || turn === 4) send({ type: 'subscribe', id: '1', payload: { query: ACTIVITY } });
    if (turn === 3) {
      send({ type: 'subscribe', id: '1', payload: { query: FOLLOW, variables: { id } } });
      await seen('complete');
    }
    if (turn === 4) send({ type: 'complete', id: '1' });
    if (n % 2 === 0) socket.destroy();
    else socket.end();
    if (!socket.closed) await once(socket, 'close');
  }
  async function visits(from: number, to: number): Promise<void> {
    let next = from;
    const one = async (): Promise<void> => {
      while (next < to) await visit(next++);
    };
    await Promise.all(Array.from({ length: 40 }, one));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const KINDS = { WebSocket, Socket, AbortController, AbortSignal, AsyncGenerator, Promise, Map, Set, Function };
  function left() {
    const counts = Object.entries(KINDS).map(([name, kind]) => [name, queryObjects(kind, { format: 'count' })]);
    return Object.fromEntries(counts) as Record<keyof typeof KINDS, number>;
  }

  await visits(0, 1000);
  const before = left();
  await visits(1000, 10_000);
  const after = left();
  expect(after).toMatchObject({ WebSocket: 0, AbortController: before.AbortController });
  // What is compiled late, or runs now and then; one for each would be 9,000.
  const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[];
  expect(kinds.filter((kind) => after[kind] - before[kind] > 200)).toEqual([]);
}, 120_000);

it('C46: an idle subscriber costs less than 45 KB', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-idle-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const service = await startService(dataDir, { TRUST_PROXY: 'true' });
  onTestFinished(() => service.stop());
  const client = clientOf(service.url);
  const watchers: Watcher[] = [];
  onTestFinished(() => watchers.forEach(({ close }) => close()));
  async function connect(sessions: number): Promise<void> {
    for (let n = 0; n < sessions; n++) {
      const token = await client.guest();
      const address = `10.0.1.${watchers.length / 100}`;
      const open = () => openWatcher(service.url, { token, address, onMessage() {} });
      const opened = await Promise.all(Array.from({ length: 100 }, open));
      for (const { send } of opened) send({ type: 'subscribe', id: '1', payload: { query: ACTIVITY } });
      watchers.push(...opened);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  // The first ones pay for the code.
  await connect(5);
  const before = (await service.rss())!;
  await connect(20);
  const kilobytes = ((await service.rss())! - before) / 2;
  expect(kilobytes).toBeLessThan(45);
}, 60_000);
