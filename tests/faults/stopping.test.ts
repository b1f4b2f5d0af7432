import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { clientOf, RESTORE, UPLOAD, type TestClient } from '../helpers/app.ts';
import { balanced, rowsOf } from '../helpers/books.ts';
import { expectGroundRule } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';
import { BOUNDARY, multipartBody } from '../helpers/raw-http.ts';
import { FOLLOW, jpeg, picture, until } from '../helpers/service.ts';

const CANCEL = 'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { status } } }';
const GRACE_SECONDS = 3;

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'heirloom-stopping-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
});

/** Forty megapixels: more work than the grace lets end when there are four of them. */
const large = async (seed: number): Promise<Buffer> =>
  picture(seed, 400, 300).resize(7300, 5475).jpeg({ quality: 80 }).toBuffer();

async function submit(client: TestClient, token: string, bytes: Uint8Array): Promise<string> {
  const { data, errors } = await client.upload(RESTORE, { file: { bytes } }, {}, token);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.restorePhoto.restoration.id;
}

/** An upload whose first half is on its way. */
function halfUpload(url: string, token: string, content: Buffer) {
  const body = multipartBody(UPLOAD, { file: null }, [{ path: 'variables.file', content }]);
  const head = `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const socket: Socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => {});
  const middle = Math.floor(body.length / 2);
  socket.write(head);
  socket.write(body.subarray(0, middle));
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  return { closed, finish: () => void socket.write(body.subarray(middle)) };
}

it('C7: SIGTERM with five jobs running, two waiting and three uploads open', async () => {
  const first = await startProcess(dataDir, {
    MAX_UPLOAD_SIZE_MB: '40',
    MAX_CONCURRENT_RESTORATIONS: '5',
    MAX_CONCURRENT_RESTORATIONS_PER_SESSION: '5',
    MAX_CONCURRENT_UPLOADS_PER_SESSION: '0',
    SHUTDOWN_GRACE_SECONDS: String(GRACE_SECONDS),
  });
  const client = clientOf(first.url);
  const token = await client.guest();
  const uploads = await Promise.all(
    [1100, 1101, 1102].map(async (seed) => halfUpload(first.url, token, await jpeg(seed, 600, 500))),
  );
  const photos = [...(await Promise.all([1110, 1111, 1112, 1113].map(large))), await jpeg(1114)];
  const ids: string[] = [];
  for (const bytes of photos) ids.push(await submit(client, token, bytes));
  const [short, ...waiting] = [await jpeg(1115), await jpeg(1116)];
  ids.push(await submit(client, token, short!), await submit(client, token, waiting[0]!));
  const rows = (): any[] =>
    rowsOf(dataDir, 'select status, attempts, tries_left as tries from restoration order by id');
  const connected = Promise.withResolvers<void>();
  const closeCode = new Promise<number>((resolve) => {
    createClient({
      url: `${first.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: token },
      retryAttempts: 0,
      on: { connected: () => connected.resolve(), closed: (event: any) => resolve(event.code) },
    }).subscribe({ query: FOLLOW, variables: { id: ids[0] } }, { next() {}, error() {}, complete() {} });
  });
  await until(() => rows().filter(({ status }) => status === 'RUNNING').length === 5);
  await connected.promise;
  const before = rows();

  const began = performance.now();
  first.kill('SIGTERM');
  // The first goes on to its end, the second never does, the third does when it is too late.
  uploads[0]!.finish();
  expect(await closeCode).toBe(1012);
  await until(() =>
    fetch(`${first.url}/health/live`).then(
      () => false,
      () => true,
    ),
  );
  expect(await first.ended).toBe(0);
  expect(performance.now() - began).toBeLessThan((GRACE_SECONDS + 4) * 1000);
  uploads[2]!.finish();

  const answers = await Promise.all(uploads.map(({ closed }) => closed));
  const stored = rowsOf(dataDir, 'select id from photo').length - photos.length - 2;
  // Finished, refused, or cut off by the end of the grace with the work on it; `balanced` says that none is half.
  const said = answers.map((text) => /"uploadPhoto":\{"photo"|SHUTTING_DOWN/.exec(text)?.[0] ?? 'cut off');
  expect(said.slice(1)).toEqual(['cut off', 'cut off']);
  expect(stored === 1 ? ['"uploadPhoto":{"photo"', 'cut off'] : ['SHUTTING_DOWN', 'cut off']).toContain(said[0]);

  const after = rows();
  const running = before.flatMap(({ status }, index) => (status === 'RUNNING' ? [after[index]] : []));
  const ended = running.filter(({ status }) => status === 'SUCCEEDED');
  expect(ended.length).toBeGreaterThanOrEqual(1);
  expect(ended.length).toBeLessThan(5);
  expect(running.filter(({ status }) => status === 'QUEUED').length).toBe(5 - ended.length);
  // Those that were let go have all their tries; what waited was not begun.
  for (const row of after.filter(({ status }) => status !== 'SUCCEEDED')) expect(row.tries).toBe(3);
  const waited = before.flatMap(({ status }, index) => (status === 'QUEUED' ? [after[index]] : []));
  for (const row of waited) expect(row).toEqual({ status: 'QUEUED', attempts: 0, tries: 3 });
  await balanced(dataDir, { working: true, ms: 0 });

  const second = await startProcess(dataDir);
  const next = clientOf(second.url);
  await until(() => rows().some(({ status, attempts }) => status === 'RUNNING' && attempts === 2));
  // The large ones have shown that they go on; their end takes too long to wait for.
  for (const id of ids.slice(0, 4)) await next.request(CANCEL, { id }, token);
  for (const id of ids.slice(4)) expect((await next.ended(id, token)).status).toBe('SUCCEEDED');
  await until(() => rowsOf(dataDir, 'select 1 from job').length === 0);
  await balanced(dataDir);
  await expectGroundRule({ ...second, dataDir });
}, 90_000);
