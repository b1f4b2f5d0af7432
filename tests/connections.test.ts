import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { appForTest, UPLOAD } from './helpers/app.ts';
import { startEdge, type Edge } from './helpers/edge.ts';
import { open, send, until } from './helpers/raw-http.ts';
import { jpeg } from './helpers/service.ts';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge();
});
afterAll(() => edge.stop());

/** Opens connections from an address of this machine; those that the server has closed are marked as destroyed. */
async function crowd(port: number, count: number, localAddress = '127.0.0.1'): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ host: '127.0.0.1', port, localAddress }));
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket.on('error', () => {}).resume(), 'connect').catch(() => {})));
  return sockets;
}

const closed = (sockets: Socket[]): number => sockets.filter((socket) => socket.destroyed).length;

async function edgeWith(config: object): Promise<Edge> {
  const other = await startEdge({ config });
  onTestFinished(() => other.stop());
  return other;
}

/** What a server answers to these bytes, once it has closed the connection or `enough` holds. */
async function say(
  bytes: string | Buffer,
  enough: (answer: string) => boolean = () => false,
  ms = 5000,
): Promise<string> {
  const socket = await open(edge.port);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(bytes);
  await until(() => socket.destroyed || socket.readableEnded || enough(socket.received()), ms);
  return socket.received();
}

const statuses = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));

describe('connections at once', () => {
  it('of one client are bounded, and its others and everybody else go on', async () => {
    const { port, url, lines } = await edgeWith({ maxConnectionsPerAddress: 20 });
    const sockets = await crowd(port, 300);
    await until(() => closed(sockets) === 280);
    await expect(send(`${url}/health/live`)).rejects.toThrow(/hang up|ECONNRESET|EPIPE/);
    const [other] = await crowd(port, 1, '127.0.0.2');
    let answer = '';
    other!.on('data', (chunk) => (answer += chunk.toString()));
    other!.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => answer.startsWith('HTTP/1.1 200'));
    // One line for the whole crowd.
    expect(lines.filter((line) => line.includes('too many connections'))).toHaveLength(1);
    sockets.forEach((socket) => socket.destroy());
    await until(async () => (await send(`${url}/health/live`).catch(() => null))?.status === 200);
  });

  it('are bounded over all clients', async () => {
    const { port } = await edgeWith({ maxConnections: 30 });
    const sockets = [...(await crowd(port, 25)), ...(await crowd(port, 25, '127.0.0.2'))];
    await until(() => closed(sockets) >= 20);
    expect(closed(sockets)).toBe(20);
  });

  it('are not counted by address behind a proxy, whose address all have', async () => {
    const { port, url } = await edgeWith({ maxConnectionsPerAddress: 5, trustProxy: true });
    const sockets = await crowd(port, 30);
    expect((await send(`${url}/health/live`)).status).toBe(200);
    expect(closed(sockets)).toBe(0);
  });
});

describe('what HTTP allows', () => {
  it.each([
    ['a page', 'GET http://other.example/ HTTP/1.1\r\nHost: x', '<!doctype html>'],
    ['no path', 'GET http://other.example HTTP/1.1\r\nHost: x', '<!doctype html>'],
    [
      'a query',
      'GET HTTPS://localhost:1/graphql?query={baseUrl} HTTP/1.1\r\nHost: x',
      '"baseUrl":"http://localhost:1"',
    ],
    ['a path that is not there', 'GET http://x/http://x/graphql HTTP/1.1\r\nHost: x', 'NOT_FOUND'],
    ['a host that is none', 'GET http://[/graphql HTTP/1.1\r\nHost: x', 'The Host header is no host.'],
  ])('a target in absolute form, its host before the Host header: %s (RFC 9112, 3.2.2)', async (_, head, expected) => {
    expect(await say(`${head}\r\n\r\n`, (answer) => answer.includes(expected))).toContain(expected);
  });

  it.each(['h2c', 'HTTP/2.0', 'TLS/1.0, HTTP/3', 'h2c, foo/1'])(
    'an offer to change to %s is ignored (RFC 9110, 7.8)',
    async (upgrade) => {
      const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade, 'http2-settings': 'AAMAAABkAAQAoAAAAAIAAAAA' };
      expect((await send(`${edge.url}/health/live`, { headers })).status).toBe(200);
      const body = JSON.stringify({ query: '{ hello }' });
      const posted = await send(`${edge.url}/graphql`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
      });
      expect([posted.status, posted.json]).toEqual([200, { data: { hello: 'hello' } }]);
    },
  );
});

const POST = 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const BODY = '{"query":"{hello}"}';

describe('lies about lengths', () => {
  it('more announced than sent: the answer never comes, and the connection goes with the client', async () => {
    const socket = await open(edge.port);
    socket.on('error', () => {});
    socket.write(`${POST}Content-Length: 1000\r\n\r\n${BODY}`);
    socket.end();
    await until(() => socket.destroyed || socket.readableEnded);
    expect(statuses(socket.received()).filter((status) => status < 400)).toEqual([]);
  });

  it('less announced than sent: the rest is no request, and closes the connection', async () => {
    const answer = await say(`${POST}Content-Length: 5\r\n\r\n${BODY}`);
    expect(statuses(answer).every((status) => status === 400)).toBe(true);
  });

  it.each([
    ['a length and chunks (request smuggling)', 'Content-Length: 19\r\nTransfer-Encoding: chunked'],
    ['two lengths', 'Content-Length: 19\r\nContent-Length: 20'],
    ['a list of lengths', 'Content-Length: 19, 20'],
    ['a negative length', 'Content-Length: -1'],
    ['a length beyond all numbers', 'Content-Length: 99999999999999999999999'],
    ['chunks in chunks', 'Transfer-Encoding: chunked, chunked'],
    ['chunks and something after them', 'Transfer-Encoding: chunked, identity'],
    ['a chunk length that is none', 'Transfer-Encoding: chunked'],
    ['a header line that is folded', 'X-A: b\r\n c: d\r\nContent-Length: 19'],
    ['a space before the colon', 'Content-Length : 19'],
  ])('%s: refused, and the connection is closed', async (_, headers) => {
    const answer = await say(`${POST}${headers}\r\n\r\n${BODY}GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(statuses(answer).filter((status) => status < 400)).toEqual([]);
    expect(answer).not.toContain('"hello":"hello"');
  });
});

describe('floods', () => {
  it('of chunk extensions are cut off', async () => {
    const flood = `5;${'a=b;'.repeat(50_000)}\r\nhello\r\n`;
    const answer = await say(`${POST}Transfer-Encoding: chunked\r\n\r\n${flood}`);
    expect(statuses(answer)).toEqual([413]);
  });

  it.each([
    ['one long header', `X-Long: ${'a'.repeat(100_000)}\r\n`],
    ['many headers', Array.from({ length: 20_000 }, (_, n) => `X-${n}: a\r\n`).join('')],
    ['a long target', `X: y\r\n`.repeat(5000)],
  ])('of header bytes are cut off: %s', async (_, headers) => {
    expect(statuses(await say(`GET /health/live HTTP/1.1\r\nHost: x\r\n${headers}\r\n`))).toEqual([431]);
  });

  it('of tiny chunks are read as the body that they are', async () => {
    const body = `${BODY}${' '.repeat(20_000)}`;
    const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join('');
    const answer = await say(`${POST}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`, (said) =>
      said.includes('}'),
    );
    expect(statuses(answer)).toEqual([200]);
  });
});

describe('one request after the other on one connection', () => {
  const next = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n';

  it.each([
    ['no such address', 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n', 404],
    ['a method that is not taken', 'DELETE /graphql HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    [
      'a body of the wrong type',
      `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
      415,
    ],
    ['a bad token', `${POST}Authorization: Bearer ???\r\nContent-Length: 19\r\n\r\n${BODY}`, 401],
    ['no JSON', `${POST}Content-Length: 5\r\n\r\nhello`, 400],
    ['a body that is too long', `${POST}Content-Length: 1100000\r\n\r\n${'x'.repeat(1_100_000)}`, 413],
  ])('goes on after %s', async (_, bad, status) => {
    const answer = await say(bad + next + next, (said) => statuses(said).length === 3);
    expect(statuses(answer)).toEqual([status, 200, 200]);
  });

  it('ends where nobody can tell any more where the next begins', async () => {
    expect(statuses(await say(`NONSENSE\r\n\r\n${next}`))).toEqual([400]);
  });
});

it('C20: a connection that stays idle after its answer is ended, also after a file', async () => {
  const app = await appForTest();
  const token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(1, 600, 400) } }, {}, token);
  const { pathname, search, port } = new URL(data.uploadPhoto.photo.url);
  const sockets = await Promise.all(
    ['/health/live', '/', pathname + search].map(async (path) => {
      const socket = await open(Number(port));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return socket;
    }),
  );
  // Node's five seconds, and the second that it adds.
  await until(() => closed(sockets) === 3, 9000);
  expect(sockets.map((socket) => statuses(socket.received()))).toEqual([[200], [200], [200]]);
});
