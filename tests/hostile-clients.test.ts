import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { appForTest, RESTORE, UPLOAD } from './helpers/app.ts';
import { send } from './helpers/raw-http.ts';
import { idle, jpeg, until } from './helpers/service.ts';

const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket)).on('error', reject);
  });
}

describe.skipIf(process.platform !== 'linux')('open files, by /proc (Linux only)', () => {
  it('downloads that are given up leave none behind, whatever the moment', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(1, 1500, 1000) } }, {}, token);
    const { pathname, search } = new URL(data.uploadPhoto.photo.url);
    // Renditions and diagnosis have threads, and those have files of their own.
    await idle(app);
    const before = await openFiles();
    for (let round = 0; round < 20; round++) {
      const sockets = await Promise.all(Array.from({ length: 10 }, () => open(app.url)));
      for (const socket of sockets) socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await new Promise((resolve) => setTimeout(resolve, round));
      for (const socket of sockets) socket.resetAndDestroy();
    }
    await expect.poll(openFiles, { timeout: 5000 }).toBeLessThanOrEqual(before + 2);
  });

  it('requests that are pipelined are answered one after the other', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(2, 3000, 2000) } }, {}, token);
    const { pathname, search } = new URL(data.uploadPhoto.photo.url);
    // Renditions and diagnosis have threads, and those have files of their own.
    await idle(app);
    const before = await openFiles();
    const socket = await open(app.url);
    socket.pause();
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(10));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await openFiles()) - before).toBeLessThan(5);
    socket.destroy();
    await expect.poll(openFiles, { timeout: 5000 }).toBeLessThanOrEqual(before + 1);
  });

  it('upgrades that are refused are not kept half open', async () => {
    const app = await appForTest();
    // Renditions and diagnosis have threads, and those have files of their own.
    await idle(app);
    const before = await openFiles();
    const { hostname, port } = new URL(app.url);
    const sockets = Array.from({ length: 50 }, () =>
      connect({ host: hostname, port: Number(port), allowHalfOpen: true }),
    );
    for (const socket of sockets) {
      socket.on('error', () => {}).resume();
      socket.write('GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    }
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('end', resolve))));
    // The client's halves are ours too: they share this process.
    await expect.poll(openFiles, { timeout: 3000 }).toBeLessThanOrEqual(before + sockets.length + 2);
    for (const socket of sockets) socket.destroy();
  });
});

describe('requests that are pipelined', () => {
  const LIVE = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n';

  it('ten at once are answered', async () => {
    const app = await appForTest();
    const socket = await open(app.url);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.write(LIVE.repeat(10));
    await expect.poll(() => text.split('HTTP/1.1 200 OK').length - 1, { timeout: 3000 }).toBe(10);
    socket.destroy();
  });

  it('behind an answer that does not end they are not collected: the connection is closed', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const body = JSON.stringify({ query: 'subscription { viewerActivity { kind } }' });
    const socket = await open(app.url);
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk))).on('error', () => {});
    const headers = `Accept: text/event-stream\r\nContent-Type: application/json\r\nAuthorization: Bearer ${token}`;
    socket.write(`POST /graphql HTTP/1.1\r\nHost: x\r\n${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await until(() => text.includes('text/event-stream'), 3000);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(LIVE.repeat(1000));
    await closed;
    expect(text).not.toContain('"ok"');
  });
});

it('C43: halves of long bodies share a room: when it is full they are told so, and short ones are read', async () => {
  const app = await appForTest();
  const head = (bytes: number) =>
    `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${bytes}\r\n\r\n`;
  const half = async (bytes: number, sent: number) => {
    const socket = await open(app.url);
    const state = { socket, text: '' };
    socket.on('data', (chunk) => (state.text += String(chunk))).on('error', () => {});
    socket.write(head(bytes) + ' '.repeat(sent));
    return state;
  };
  const long: Awaited<ReturnType<typeof half>>[] = [];
  for (let n = 0; n < 90; n++) long.push(await half(1e6, 980_000));
  await until(() => long.some(({ text }) => text.startsWith('HTTP/1.1 429')), 5000);
  const short = await half(60_000, 40_000);
  short.socket.write(JSON.stringify({ query: '{ models { id } }' }).padEnd(20_000));
  await until(() => short.text.startsWith('HTTP/1.1 200'), 3000);
  expect(long.filter(({ text }) => text.startsWith('HTTP/1.1 429')).length).toBeLessThan(40);
  for (const { socket } of [...long, short]) socket.destroy();
  // There is room again, for as many as before.
  await until(async () => {
    const body = JSON.stringify({ query: '{ models { id } }' }).padEnd(900_000);
    const answers = await Promise.all(
      Array.from({ length: 30 }, () =>
        send(`${app.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
      ),
    );
    return answers.every(({ status }) => status === 200);
  }, 5000);
});

describe('nonsense', () => {
  it.each([
    ['a document', { query: '{ viewer { photos(filter: { search: "a\\u0000" }) { totalCount } } }', variables: {} }],
    [
      'variables',
      {
        query: 'mutation ($n: String!) { login(input: { username: $n, password: "x" }) { token } }',
        variables: { n: 'a\0' },
      },
    ],
  ])('U+0000 in %s is BAD_USER_INPUT', async (_name, body) => {
    const app = await appForTest();
    const { errors } = await app.request(body.query, body.variables, await app.guest());
    expect(errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  it.each(['x:99999', 'a b', '%', '[', '@', 'x"><script>'])('the Host header %s is refused', async (Host) => {
    const app = await appForTest({ PUBLIC_URL: 'https://photos.example.org' });
    const { status, json } = await send(`${app.url}/graphql?query={health{ok}}`, { headers: { Host } });
    expect([status, json.errors[0].extensions.code]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it.each(['close', 'keep-alive'])(
    'a large body that is refused gets its answer: Connection: %s',
    async (connection) => {
      const app = await appForTest();
      const body = Buffer.alloc(20e6, 'x');
      const socket = await open(app.url);
      let answer = '';
      const failed: Error[] = [];
      socket.on('data', (chunk) => (answer += chunk.toString())).on('error', (error) => failed.push(error));
      socket.write(`POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n`);
      socket.write(`Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`);
      await new Promise<void>((resolve) => socket.write(body, () => resolve()));
      await until(() => answer.includes('\r\n\r\n'), 2000);
      expect([failed, answer.split('\r\n')[0]]).toEqual([[], 'HTTP/1.1 415 Unsupported Media Type']);
      socket.destroy();
    },
  );
});

describe('races', () => {
  it('uploads and renditions beside deletes of the same photo end in a documented way', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const bytes = await jpeg(7, 400, 300);
    const codes = new Set<string>();
    for (let round = 0; round < 25; round++) {
      const { data } = await app.upload(RESTORE, { file: { bytes } }, {}, token);
      const { id } = data.restorePhoto.photo;
      const answers = await Promise.all([
        app.request(`query ($id: ID!) { photo(id: $id) { rendition(name: ORIGINAL) { url } } }`, { id }, token),
        app.request(`mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }`, { id }, token),
        app.upload(UPLOAD, { file: { bytes } }, {}, token),
        app.upload(UPLOAD, { file: { bytes } }, {}, token),
      ]);
      for (const { errors } of answers) for (const { extensions } of errors) codes.add(extensions.code);
    }
    expect([...codes].filter((code) => code !== 'NOT_FOUND')).toEqual([]);
  });
});
