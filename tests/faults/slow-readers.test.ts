import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { percentile } from '../bench/figure.ts';
import { startNode } from '../bench/service.ts';
import { clientOf, UPLOAD } from '../helpers/app.ts';
import { openBareSocket, OPCODE } from '../helpers/raw-frames.ts';
import { jpeg, until } from '../helpers/service.ts';

const READERS = 20;
/** Of each kind. */
const STALLED = 5;
const ATTEMPTS = 60;
const FOLLOW = `subscription ($id: ID!) { restorationUpdated(id: $id) { at percent } }`;
const ROWS = `{ id status percent modelId queuedAt options { strength outputFormat outputQuality } photo { id originalFilename } }`;
/** About 80 KB for each event, so that what the machine buffers by itself is full after a few seconds. */
const HEAVY = `subscription ($id: ID!) { restorationUpdated(id: $id) { at percent restoration { id photo {
  a: restorations ${ROWS} b: restorations ${ROWS} } } } }`;
const RESTORE = 'mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }';

/** A socket that follows `query`. @returns the connection, which can be paused. */
async function bySocket(url: string, token: string, query: string, id: string, onEvent: (text: Buffer) => void) {
  let messages = 0;
  const { socket, send } = await openBareSocket(url, {
    onFrame(opcode, payload) {
      if (opcode === OPCODE.text && messages++ > 0) onEvent(payload);
    },
  });
  send({ type: 'connection_init', payload: { authorization: token } });
  await until(() => messages > 0);
  send({ type: 'subscribe', id: '1', payload: { query, variables: { id } } });
  return socket;
}

async function byStream(url: string, token: string, query: string, id: string, onEvent: () => void): Promise<Socket> {
  const { hostname, host, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  const body = JSON.stringify({ query, variables: { id } });
  socket.on('data', onEvent);
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  return socket;
}

it('C45: subscribers that stop reading cost little, are ended within 30 s, and nobody else notices', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-slow-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  // As `npm start` does; only the provider is one that reports ten times a second for as long as it may.
  const service = await startNode(['--max-semi-space-size=8', 'tests/bench/steady-service.ts'], {
    PORT: '0',
    DATA_DIR: dataDir,
    SHUTDOWN_GRACE_SECONDS: '0',
  });
  onTestFinished(() => service.stop());
  const client = clientOf(service.url);
  const token = await client.guest();
  const name = `${'x'.repeat(200)}.jpg`;
  const { data } = await client.upload(UPLOAD, { file: { bytes: await jpeg(1), name } }, {}, token);
  const photo = data.uploadPhoto.photo.id;
  const { id } = (await client.ok(RESTORE, { id: photo }, token)).restorePhoto.restoration;
  for (let n = 1; n < ATTEMPTS; n++) await client.ok(RESTORE, { id: photo }, token);

  let latencies: number[] = [];
  let newest = '';
  const readers = Array.from({ length: READERS }, () =>
    bySocket(service.url, token, FOLLOW, id, (payload) => {
      const at = /"at":"([^"]+)"/.exec(payload.toString())?.[1];
      if (at === undefined) return;
      latencies.push(Date.now() - Date.parse(at));
      newest = at;
    }),
  );
  let heavyEvents = 0;
  let heavyBytes = 0;
  const heavy = await Promise.all([
    ...Array.from({ length: STALLED }, () =>
      bySocket(service.url, token, HEAVY, id, ({ length }) => {
        heavyEvents += 1;
        heavyBytes += length;
      }),
    ),
    ...Array.from({ length: STALLED }, () => byStream(service.url, token, HEAVY, id, () => {})),
  ]);
  const all = [...(await Promise.all(readers)), ...heavy];
  onTestFinished(() => all.forEach((socket) => socket.destroy()));

  // The middle one of many: the highest says only how lately garbage was collected, and rises with the time that one looks.
  let held: number[] = [];
  const watching = setInterval(async () => held.push((await service.rss()) ?? Number.NaN), 200);
  onTestFinished(() => clearInterval(watching));
  await wait(3000);

  // While all of them read: the same work.
  [latencies, held] = [[], []];
  await wait(8000);
  const before = { p99: percentile(latencies, 0.99), rss: percentile(held, 0.5) };
  expect(latencies.length).toBeGreaterThan(READERS * 60);
  expect(heavyBytes / heavyEvents).toBeGreaterThan(50_000);

  [latencies, held] = [[], []];
  for (const socket of heavy) socket.pause();
  await wait(30_000);
  const after = { p99: percentile(latencies, 0.99), rss: percentile(held, 0.5) };
  expect(after.rss - before.rss).toBeLessThan(20);
  expect(after.p99).toBeLessThan(Math.max(2 * before.p99, 60));

  // Behind what had been sent before they stopped, each of them finds the end.
  const over = heavy.map((socket) => new Promise<boolean>((resolve) => socket.once('close', () => resolve(true))));
  for (const socket of heavy) socket.resume();
  const late = wait(3000).then(() => false);
  expect(await Promise.all(over.map((one) => Promise.race([one, late])))).toEqual(heavy.map(() => true));

  const last = newest;
  await until(() => newest > last);
  expect(all.slice(0, READERS).every((socket) => !socket.destroyed)).toBe(true);
}, 90_000);
