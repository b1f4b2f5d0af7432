import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { processRequest, type FileUpload } from 'graphql-upload-minimal';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLog } from '../src/log.ts';
import { createSpool, type Spool, type SpooledFile } from '../src/storage/spool.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const MB = 1_000_000;
const log = createLog('silent');
let dir: string;

beforeEach(async () => {
  dir = join(await mkdtemp(join(tmpdir(), 'heirloom-spool-')), 'tmp');
});
afterEach(() => rm(join(dir, '..'), { recursive: true }));

function create(maxBytes = MB): Spool {
  return createSpool({ dir, maxBytes, log });
}
function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
function part(name: string, value: string): string {
  return `--x\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}
/** A stream in pieces of odd sizes, each with memory of its own as those from the network. */
function pieces(content: Buffer, size: number): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += size)
        yield Buffer.from(new Uint8Array(content.subarray(at, at + size)).buffer);
    })(),
    { objectMode: false },
  );
}
const leftOver = (): Promise<string[]> => readdir(dir).catch(() => []);

describe('spool', () => {
  test.each([0, 1, 999, 65_536, 262_144, 777_777, 5 * MB])(
    'keeps %i bytes as they came, with their hash',
    async (size) => {
      const content = randomBytes(size);
      const file = await create(0).spool(pieces(content, 65_535));
      expect(file.bytes).toBe(size);
      expect(file.sha256).toBe(createHash('sha256').update(content).digest('hex'));
      expect(content.equals(await readFile(file.path))).toBe(true);
      expect((await stat(file.path)).mode & 0o777).toBe(0o600);
      await file.discard();
      await file.discard();
      expect(await leftOver()).toEqual([]);
    },
  );

  test('C24: gives the memory of a chunk back once it is written, unless others share it', async () => {
    const own = Buffer.from(new Uint8Array(100_000).fill(1).buffer);
    const shared = Buffer.alloc(200_000, 2);
    const chunks = [own, shared.subarray(0, 100_000)];
    const file = await create().spool(Readable.from(chunks, { objectMode: false }));
    expect(chunks.map(({ length }) => length)).toEqual([0, 100_000]);
    expect(await readFile(file.path)).toEqual(Buffer.concat([Buffer.alloc(100_000, 1), shared.subarray(0, 100_000)]));
  });

  test('C19: takes a file of exactly the limit, refuses one byte more', async () => {
    const spool = create(MB);
    expect((await spool.spool(pieces(randomBytes(MB), 50_000))).bytes).toBe(MB);
    const over = pieces(randomBytes(MB + 1), 50_000);
    await expect(spool.spool(over)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(over.destroyed).toBe(true);
    expect(await leftOver()).toHaveLength(1);
  });

  test('C19: stops reading as soon as the limit is passed', async () => {
    let given = 0;
    const endless = new Readable({
      read() {
        given += 65_536;
        this.push(Buffer.alloc(65_536));
      },
    });
    await expect(create(MB).spool(endless)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(given).toBeLessThan(MB + 5 * 65_536);
    expect(endless.destroyed).toBe(true);
    expect(await leftOver()).toEqual([]);
  });

  test('a stream that was cut off before it came here is refused (trap 2)', async () => {
    const cut = Object.assign(pieces(randomBytes(1000), 100), { truncated: true });
    await expect(create().spool(cut)).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    expect(await leftOver()).toEqual([]);
  });

  test('C21: leaves nothing behind when the stream ends too early, at whatever point', async () => {
    const spool = create(0);
    for (const bytes of [0, 1, MB / 2, MB]) {
      const stream = new PassThrough();
      const spooled = spool.spool(stream);
      stream.write(randomBytes(bytes));
      setTimeout(() => stream.destroy(new Error('the client went away')), 10);
      await expect(spooled).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    }
    const closed = new PassThrough();
    closed.destroy();
    await expect(spool.spool(closed)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await leftOver()).toEqual([]);
  });

  test('C21: an abort ends it with its own reason, and 500 of them leave no file and no descriptor', async () => {
    const spool = create(0);
    await spool.spool(pieces(randomBytes(10), 10));
    const before = openFiles();
    for (let round = 0; round < 50; round++) {
      const aborted = Array.from({ length: 10 }, async (_, index) => {
        const controller = new AbortController();
        const stream = new PassThrough();
        const spooled = spool.spool(stream, { signal: controller.signal });
        const failure = spooled.catch((error: unknown) => error);
        stream.write(Buffer.alloc(index * 60_000));
        if (index % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        controller.abort(new Error('no longer wanted'));
        expect(await failure).toEqual(new Error('no longer wanted'));
        expect(stream.destroyed).toBe(true);
      });
      await Promise.all(aborted);
    }
    expect(openFiles() - before).toBeLessThan(3);
    expect(await leftOver()).toHaveLength(1);
  });

  test('does not begin when the signal has aborted already', async () => {
    const stream = pieces(randomBytes(10), 10);
    await expect(create().spool(stream, { signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow(
      'too late',
    );
    expect(stream.destroyed).toBe(true);
    expect(await leftOver()).toEqual([]);
  });

  test('an error of the source that comes after the end of the read harms nobody', async () => {
    const stream = pieces(randomBytes(10), 10);
    await create().spool(stream);
    expect(() => stream.emit('error', new Error('late'))).not.toThrow();
  });

  test('C11: a folder that cannot be written to is a fault of ours, not of the upload', async () => {
    await writeFile(dir, 'a file where the folder should be');
    await expect(create().spool(pieces(randomBytes(10), 10))).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    await rm(dir);
  });

  test.each([
    ['1000', 'STORAGE_FULL'],
    ['unlimited', '5000000'],
  ])('C11: a disk that takes files up to %s blocks answers %s and keeps no part', async (blocks, answer) => {
    const child = spawn(
      'sh',
      ['-c', `ulimit -f ${blocks}; exec "$0" "$@"`, process.execPath, join(FIXTURES, 'spool-child.ts'), dir],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    expect(await text(child.stdout)).toBe(answer);
    expect(await leftOver()).toHaveLength(answer === 'STORAGE_FULL' ? 0 : 1);
  });
});

describe('spool behind graphql-upload-minimal', () => {
  const results: Promise<SpooledFile>[] = [];
  let limits: { maxFileSize: number };
  const server = createServer((req, res) => void answer(req, res));

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const operations = (await processRequest(req, res, limits)) as {
      variables: { file: { promise: Promise<FileUpload> } };
    };
    const { createReadStream } = await operations.variables.file.promise;
    const spooled = create(0).spool(createReadStream());
    results.push(spooled);
    const code = await spooled.then(
      (file) => String(file.bytes),
      (error: { code: string }) => error.code,
    );
    req.unpipe();
    req.resume();
    res.end(code);
  }
  beforeEach(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    results.length = 0;
    await once(server, 'close');
  });

  function send(size: number, stopAt = Infinity): Promise<string> {
    const { port } = server.address() as AddressInfo;
    const req = request({
      port,
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    });
    req.write(
      part('operations', '{"query":"{a}","variables":{"file":null}}') + part('map', '{"0":["variables.file"]}'),
    );
    req.write('--x\r\ncontent-disposition: form-data; name="0"; filename="a.jpg"\r\n\r\n');
    req.write(Buffer.alloc(Math.min(size, stopAt)));
    if (stopAt < size) setTimeout(() => req.destroy(), 50);
    else req.end('\r\n--x--\r\n');
    return new Promise((resolve, reject) => {
      req.on('error', reject);
      req.on('response', (res) => resolve(Array.fromAsync(res.setEncoding('utf8')).then((parts) => parts.join(''))));
    });
  }

  test('C19: what the parser cuts off at its own limit is refused, and answered at once (trap 2)', async () => {
    // busboy's limit is the first size it refuses.
    limits = { maxFileSize: MB + 1 };
    expect(await send(MB)).toBe('1000000');
    const before = performance.now();
    expect(await send(MB + 1)).toBe('PAYLOAD_TOO_LARGE');
    expect(await send(10 * MB)).toBe('PAYLOAD_TOO_LARGE');
    expect(performance.now() - before).toBeLessThan(2000);
    expect(await leftOver()).toHaveLength(1);
  });

  test('C21: a client that goes away in the middle leaves no file', async () => {
    limits = { maxFileSize: 20 * MB };
    await expect(send(2 * MB, MB)).rejects.toThrow('socket hang up');
    const end = performance.now() + 2000;
    while (results.length === 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(results[0]).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await leftOver()).toEqual([]);
  });
});
