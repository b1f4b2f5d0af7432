import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEdge, type Edge } from './helpers/edge.ts';
import { BOUNDARY, END, multipartBody, open, part, postMultipart, until } from './helpers/raw-http.ts';

const UPLOAD = 'mutation ($file: Upload!) { upload(file: $file) { filename bytes sha256 } }';
const LIMIT = 1e6;

let edge: Edge;
beforeAll(async () => {
  // So that a body far over the limit of one file is not refused by its length alone.
  edge = await startEdge({ limits: { files: 50 } });
});
afterAll(() => edge.stop());

const fileOf = (content: Buffer, name?: string) => [{ path: 'variables.file', content, ...(name && { name }) }];
const uploadOf = (bytes: number) => multipartBody(UPLOAD, { file: null }, fileOf(Buffer.alloc(bytes, 7)));
const codeOf = (answer: { json: any }) => answer.json.errors?.[0]?.extensions?.code;
const mapTo = (...paths: string[]) => part('name="map"', JSON.stringify({ 0: paths }));
const noFilesLeft = () => until(async () => (await edge.temporaryFiles()).length === 0);

function chunked(body: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += 65_536) chunks.push(body.subarray(at, at + 65_536));
  return chunks;
}

/** Sends a request by hand; `body` may be shorter than its announced length. */
async function sendByHand(body: Buffer, length = body.length, token = 'ann') {
  const socket = await open(edge.port);
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${length}\r\n\r\n`,
  );
  socket.write(body);
  return socket;
}

describe('uploads', () => {
  it('arrive whole and leave no temporary file', async () => {
    const content = randomBytes(600_000);
    const answer = await postMultipart(
      edge.url,
      multipartBody(UPLOAD, { file: null }, fileOf(content, 'Großmutter.jpg')),
    );
    expect(answer.json).toEqual({
      data: {
        upload: {
          filename: 'Großmutter.jpg',
          bytes: 600_000,
          sha256: createHash('sha256').update(content).digest('hex'),
        },
      },
    });
    await noFilesLeft();
  });

  it('C23: two files awaited in reverse do not deadlock', async () => {
    const answer = await postMultipart(
      edge.url,
      multipartBody(
        'mutation ($a: Upload!, $b: Upload!) { uploadBoth(first: $a, second: $b) { bytes } }',
        { a: null, b: null },
        [
          { path: 'variables.a', content: Buffer.alloc(900_000) },
          { path: 'variables.b', content: Buffer.alloc(800_000) },
        ],
      ),
    );
    expect(answer.json).toEqual({ data: { uploadBoth: [{ bytes: 900_000 }, { bytes: 800_000 }] } });
  });

  it('C19: a file of exactly the limit is taken', async () => {
    const answer = await postMultipart(edge.url, uploadOf(LIMIT));
    expect(answer.json.data.upload.bytes).toBe(LIMIT);
  });

  it.each([
    ['one byte', LIMIT + 1],
    ['ten times', LIMIT * 10],
  ])('C19: %s over the limit is 413 within a second, fixed length and chunked', async (_, bytes) => {
    const body = uploadOf(bytes);
    for (const sent of [body, chunked(body)]) {
      const started = performance.now();
      const answer = await postMultipart(edge.url, sent);
      expect(performance.now() - started).toBeLessThan(1500);
      expect([answer.status, codeOf(answer), answer.json.data ?? null]).toEqual([413, 'PAYLOAD_TOO_LARGE', null]);
      expect(answer.headers['content-type']).toContain('application/graphql-response+json');
    }
    await noFilesLeft();
  });

  it.each(['fixed length', 'chunked'])(
    'C19: one byte over is refused within a second of it, though the rest has not come; then the connection goes on: %s',
    async (framing) => {
      const body = uploadOf(LIMIT * 10);
      const over = body.lastIndexOf('\r\n\r\n') + 4 + LIMIT + 1;
      const isChunked = framing === 'chunked';
      const framed = (bytes: Buffer): Buffer =>
        isChunked
          ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
          : bytes;
      const socket = await open(edge.port);
      const length = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
      socket.write(
        `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n${length}\r\n\r\n`,
      );
      await new Promise<void>((resolve) => socket.write(framed(body.subarray(0, over)), () => resolve()));
      await until(() => socket.received().includes('PAYLOAD_TOO_LARGE'), 1000);
      expect(socket.received()).toMatch(/^HTTP\/1\.1 413/);
      await noFilesLeft();
      socket.write(framed(body.subarray(over)));
      socket.write(`${isChunked ? '0\r\n\r\n' : ''}GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`);
      await until(() => socket.received().includes('{"ok":true}'));
      socket.destroy();
    },
  );

  it('C19: a length that could never fit is refused before the body comes', async () => {
    const socket = await sendByHand(Buffer.alloc(0), 1e9);
    await until(() => socket.received().includes('PAYLOAD_TOO_LARGE'), 1000);
    expect(socket.received()).toMatch(/^HTTP\/1\.1 413/);
    socket.destroy();
  });

  it('trap 2: a file over the limit does not take the other files of the request with it', async () => {
    const query = 'mutation ($a: Upload!, $b: Upload!) { a: ignore(file: $a) b: upload(file: $b) { bytes } }';
    const answer = await postMultipart(
      edge.url,
      multipartBody(query, { a: null, b: null }, [
        { path: 'variables.a', content: Buffer.alloc(LIMIT + 5) },
        { path: 'variables.b', content: Buffer.alloc(1000) },
      ]),
    );
    expect(answer.json).toEqual({ data: { a: true, b: { bytes: 1000 } } });
  });
});

describe('C20: uploads nobody wants', () => {
  it.each([
    [
      'a validation error',
      'mutation ($file: Upload!) { upload(file: $file) { nope } }',
      400,
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['an unknown mutation', 'mutation ($file: Upload!) { nope(file: $file) }', 400, 'GRAPHQL_VALIDATION_FAILED'],
    ['a refusal', 'mutation ($file: Upload!) { deny(file: $file) }', 403, 'FORBIDDEN'],
    ['no interest', 'mutation ($file: Upload!) { ignore(file: $file) }', 200, undefined],
  ])('%s is answered and the connection goes on', async (_, query, status, code) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const body = multipartBody(query, { file: null }, fileOf(Buffer.alloc(20e6)));
    for (let round = 0; round < 3; round++) {
      const answer = await postMultipart(edge.url, body, {
        agent,
        headers: { accept: 'application/graphql-response+json' },
      });
      expect([answer.status, codeOf(answer)]).toEqual([status, code]);
    }
    agent.destroy();
    await noFilesLeft();
  });

  it('trap 3: 200 refused uploads leave no socket open', async () => {
    const body = multipartBody(
      'mutation ($file: Upload!) { nope(file: $file) }',
      { file: null },
      fileOf(Buffer.alloc(200_000)),
    );
    const statuses = new Set<number>();
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          postMultipart(edge.url, body, { token: 'abcdefghijklmnopqrst'[index]! }),
        ),
      );
      for (const { status } of answers) statuses.add(status);
    }
    expect([...statuses]).toEqual([200]);
    await until(() => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length === 0, 10_000);
    await noFilesLeft();
  });

  it('is answered with UNAUTHENTICATED before anything is stored', async () => {
    const body = uploadOf(20e6);
    const socket = await sendByHand(body.subarray(0, 5000), body.length, '');
    await until(() => socket.received().includes('UNAUTHENTICATED'), 1000);
    expect(await edge.temporaryFiles()).toEqual([]);
    socket.destroy();
    const answer = await postMultipart(edge.url, body, { token: null });
    expect([answer.status, codeOf(answer)]).toEqual([401, 'UNAUTHENTICATED']);
  });
});

describe('C21: a client that goes away', () => {
  it.each([0, 0.01, 0.5, 0.99])('at %d of the body leaves no file and ends the work', async (share) => {
    const body = multipartBody(
      'mutation ($file: Upload!) { hold(file: $file) }',
      { file: null },
      fileOf(Buffer.alloc(900_000)),
    );
    const before = edge.lines.length;
    const socket = await sendByHand(body.subarray(0, Math.floor(body.length * share)), body.length);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await until(() => edge.lines.slice(before).some((line) => line.includes('"aborted":true')), 1000);
    await until(async () => (await edge.temporaryFiles()).length === 0, 1000);
    expect(edge.lines.slice(before).filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    '500 times leaves no open file and no socket behind (counts in /proc: Linux only)',
    async () => {
      const body = uploadOf(300_000);
      const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
      await postMultipart(edge.url, body);
      const before = await openFiles();
      for (let round = 0; round < 50; round++) {
        const sockets = await Promise.all(
          Array.from({ length: 10 }, (_, n) =>
            sendByHand(body.subarray(0, 2_000 + n * 29_000), body.length, `client-${round % 5}-${n}`),
          ),
        );
        for (const socket of sockets) socket.destroy();
      }
      await noFilesLeft();
      await until(async () => (await openFiles()) <= before + 2, 5000);
      expect((await postMultipart(edge.url, body)).status).toBe(200);
    },
  );

  it('does not keep its place among the uploads of the session', async () => {
    const body = uploadOf(900_000);
    for (let round = 0; round < 6; round++) {
      const socket = await sendByHand(body.subarray(0, 100_000), body.length, 'zoe');
      await until(async () => (await edge.temporaryFiles()).length > 0);
      socket.destroy();
      await noFilesLeft();
    }
    expect((await postMultipart(edge.url, body, { token: 'zoe' })).status).toBe(200);
  });
});

describe('uploads under way', () => {
  it('are limited per session, with a time to come back', async () => {
    const body = uploadOf(500_000);
    const started = await Promise.all([1, 2, 3].map(() => sendByHand(body.subarray(0, 100_000), body.length, 'bob')));
    await until(async () => (await edge.temporaryFiles()).length === 3);
    const fourth = await postMultipart(edge.url, body, { token: 'bob' });
    expect([fourth.status, codeOf(fourth), fourth.headers['retry-after']]).toEqual([429, 'RATE_LIMITED', '1']);
    expect((await postMultipart(edge.url, body, { token: 'cid' })).status).toBe(200);
    for (const socket of started) socket.destroy();
    await noFilesLeft();
  });

  it('C22: that crawl are cut off', async () => {
    const slow = await startEdge({ limits: { minRateWindowMs: 300, minBytesPerSecond: 2048 } });
    const body = uploadOf(500_000);
    const socket = await open(slow.port);
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    const timer = setInterval(() => socket.writable && socket.write(body.subarray(0, 50)), 100);
    await until(() => socket.destroyed || socket.readableEnded, 3000);
    clearInterval(timer);
    expect(socket.received()).toBe('');
    await slow.stop();
  });
});

describe('C23: abuse of multipart', () => {
  const operations = part('name="operations"', JSON.stringify({ query: UPLOAD, variables: { file: null } }));
  const file = part('name="0"; filename="a.jpg"', Buffer.alloc(1000));
  const withMap = (map: unknown) => [operations, part('name="map"', JSON.stringify(map)), file, END];

  it.each<[string, Buffer[], number]>([
    ['misordered fields', [mapTo('variables.file'), operations, file, END], 400],
    ['files before the map', [operations, file, mapTo('variables.file'), END], 400],
    ['missing map', [operations, END], 400],
    ['missing operations', [END], 400],
    ['a map to a missing path', [operations, mapTo('variables.nope'), file, END], 400],
    ['a map to a missing depth', [operations, mapTo('variables.a.b.c'), file, END], 400],
    ['a map to the query', [operations, mapTo('query'), file, END], 400],
    ['__proto__', [operations, mapTo('variables.__proto__.polluted'), file, END], 400],
    ['constructor', [operations, mapTo('variables.constructor.prototype.polluted'), file, END], 400],
    ['an inherited function', [operations, mapTo('variables.toString.call'), file, END], 400],
    ['the same file at two paths', [operations, mapTo('variables.file', 'variables.file'), file, END], 400],
    ['a map that is a list', withMap([['variables.file']]), 400],
    ['a map of numbers', withMap({ 0: [1] }), 400],
    [
      '10,000 map entries',
      withMap(Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [n, ['variables.file']]))),
      413,
    ],
    [
      '1,000 tiny parts',
      [operations, mapTo('variables.file'), ...Array.from({ length: 1000 }, (_, n) => part(`name="x${n}"`, 'x')), END],
      400,
    ],
    [
      '1,000 tiny files',
      [
        operations,
        mapTo('variables.file'),
        ...Array.from({ length: 1000 }, (_, n) => part(`name="x${n}"; filename="x"`, 'x')),
        END,
      ],
      400,
    ],
    ['duplicate operations', [operations, operations, mapTo('variables.file'), file, END], 400],
    [
      'a header of 1 MB',
      [operations, mapTo('variables.file'), part(`name="0"; filename="${'x'.repeat(1e6)}"`, 'x'), END],
      400,
    ],
    ['operations of more than 1 MB', [part('name="operations"', 'x'.repeat(1_100_000)), END], 413],
    [
      'a batch',
      [
        part('name="operations"', JSON.stringify([{ query: UPLOAD, variables: { file: null } }])),
        part('name="map"', '{"0":["0.variables.file"]}'),
        file,
        END,
      ],
      400,
    ],
    ['operations that are no JSON', [part('name="operations"', '{'), END], 400],
    [
      'a file that is not in the map',
      [operations, mapTo('variables.file'), part('name="7"; filename="a"', 'x'), END],
      400,
    ],
    ['a file of the map that never comes', [operations, mapTo('variables.file'), END], 400],
    ['no final boundary', [operations, mapTo('variables.file'), file.subarray(0, 500)], 400],
    ['nothing at all', [Buffer.alloc(0)], 400],
  ])('%s', async (_, parts, status) => {
    const started = performance.now();
    const answer = await postMultipart(edge.url, Buffer.concat(parts));
    expect(performance.now() - started).toBeLessThan(5000);
    expect(answer.status).toBe(status);
    expect(codeOf(answer)).toMatch(/^(BAD_USER_INPUT|PAYLOAD_TOO_LARGE)$/);
    expect(({} as any).polluted).toBeUndefined();
    expect(Object.prototype.toString.call([])).toBe('[object Array]');
  });

  it('no boundary in the header', async () => {
    const answer = await postMultipart(edge.url, file, { headers: { 'content-type': 'multipart/form-data' } });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('the service works on afterwards, with all places free', async () => {
    expect((await postMultipart(edge.url, uploadOf(1000))).json.data.upload.bytes).toBe(1000);
    await noFilesLeft();
  });
});
