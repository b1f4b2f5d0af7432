import { randomFillSync } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Socket } from 'node:net';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, UPLOAD, type TestClient } from '../helpers/app.ts';
import { expectGroundRule, peakRssMb, rssMb, type Subject } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';
import { BOUNDARY, multipartBody } from '../helpers/raw-http.ts';
import { jpeg, storedFiles, until } from '../helpers/service.ts';

interface Service extends Subject {
  client: TestClient;
  /** Sockets of a service that nobody is connected to. */
  quiet: number;
}

/** A service as `npm start` runs it, after a first upload, so that what it needs once it has. */
async function startService(env: Record<string, string> = {}): Promise<Service> {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-uploads-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const running = await startProcess(dataDir, { NODE_OPTIONS: '--max-semi-space-size=8', ...env });
  const client = clientOf(running.url);
  const service = { ...running, dataDir, client, quiet: openOf(running).sockets };
  await client.upload(UPLOAD, { file: { bytes: await jpeg(1) } }, {}, await client.guest());
  await until(() => count(dataDir, 'job') === 0);
  return service;
}

function count(dataDir: string, table: 'photo' | 'job'): number {
  const database = new Database(join(dataDir, 'heirloom.sqlite'), { readonly: true, timeout: 5000 });
  try {
    return (database.prepare(`select count(*) as n from ${table}`).get() as { n: number }).n;
  } finally {
    database.close();
  }
}

/** What a process has open: its files, and of those its sockets. By /proc. */
function openOf({ child }: Pick<Subject, 'child'>): { files: number; sockets: number } {
  const folder = `/proc/${child.pid}/fd`;
  const targets = readdirSync(folder).flatMap((name) => {
    try {
      return [readlinkSync(join(folder, name))];
    } catch {
      return [];
    }
  });
  return { files: targets.length, sockets: targets.filter((target) => target.startsWith('socket:')).length };
}

/** A connection on which the head of an upload is sent, and then what the test wants. */
function begin(url: string, length: number, token: string | null): Promise<Socket & { answer(): string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=${BOUNDARY}\r\n` +
          `${token === null ? '' : `Authorization: Bearer ${token}\r\n`}Content-Length: ${length}\r\n\r\n`,
      );
      resolve(Object.assign(socket, { answer: () => text }));
    });
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', reject);
  });
}

const uploadOf = (content: Buffer, query = UPLOAD): Buffer =>
  multipartBody(query, { file: null }, [{ path: 'variables.file', content }]);

describe.skipIf(process.platform !== 'linux')('uploads against a real process, by /proc (Linux only)', () => {
  it('C20: 200 uploads of 20 MB that nobody wants are answered, and leave no socket open', async () => {
    const service = await startService();
    const token = await service.client.guest();
    const content = Buffer.alloc(19.9e6);
    // What does not validate is 200 by the rules of `application/json`, as for any client that asks for nothing else.
    const cases: [string, Buffer, string | null, number][] = [
      ['a validation error', uploadOf(content, UPLOAD.replace('originalFilename', 'nope')), token, 200],
      ['an unknown mutation', uploadOf(content, 'mutation ($file: Upload!) { nope(file: $file) { id } }'), token, 200],
      ['no token', uploadOf(content), null, 401],
      ['a token that is none', uploadOf(content), 'none', 401],
      // Denied by the service: the photo is somebody else's, the file comes with it all the same.
      [
        'denied',
        uploadOf(
          content,
          'mutation ($file: Upload!) { restorePhoto(input: { file: $file, photoId: "UGhvdG86MQ==" }) { photo { id } } }',
        ),
        token,
        400,
      ],
    ];
    const seen = new Map<string, Set<string>>();
    async function send(number: number): Promise<void> {
      const [name, body, who, status] = cases[number % cases.length]!;
      const socket = await begin(service.url, body.length, who);
      onTestFinished(() => void socket.destroy());
      socket.write(body);
      await until(() => /^HTTP\/1\.1 \d+/.test(socket.answer()), 10_000);
      const line = socket.answer().split('\r\n')[0]!;
      seen.set(name, (seen.get(name) ?? new Set()).add(line.startsWith(`HTTP/1.1 ${status} `) ? 'ok' : line));
    }
    const sendHundred = async (): Promise<void> => {
      for (let number = 0; number < 100; number += 2) await Promise.all([send(number), send(number + 1)]);
    };
    // The first hundred take memory that the heap and the allocator keep; two hundred more must not.
    await sendHundred();
    const idle = rssMb(service);
    await sendHundred();
    await sendHundred();
    expect(seen).toEqual(new Map(cases.map(([name]) => [name, new Set(['ok'])])));
    // The clients keep their ends: it is the service that lets go.
    await until(() => openOf(service).sockets === service.quiet, 10_000, 100);
    expect(count(service.dataDir, 'photo')).toBe(1);
    await expectGroundRule(service, idle);
  });

  it('C21: 500 clients that go away at 0, 1, 50 and 99 % leave no row, no file and nothing open', async () => {
    const service = await startService({ MAX_CONCURRENT_UPLOADS_PER_SESSION: '0' });
    const token = await service.client.guest();
    const idle = rssMb(service);
    // Connections of the preparation are kept for five seconds.
    await until(() => openOf(service).sockets === service.quiet, 10_000, 50);
    const before = openOf(service);
    const files = await storedFiles(service.dataDir);
    const body = uploadOf(randomFillSync(Buffer.alloc(2e6)));
    const aborted = (): number => service.lines.filter((line) => line.includes('"aborted":true')).length;
    let slowest = 0;
    for (let round = 0; round < 50; round++) {
      const sockets = await Promise.all(Array.from({ length: 10 }, () => begin(service.url, body.length, token)));
      sockets.forEach((socket, index) => {
        const share = [0, 0.01, 0.5, 0.99][index % 4]!;
        socket.on('error', () => {}).write(body.subarray(0, Math.floor(body.length * share)));
      });
      // Until the service has them in hand, those that sent nothing among them.
      await until(() => openOf(service).sockets >= before.sockets + 10, 5000, 2);
      await new Promise((resolve) => setTimeout(resolve, round));
      for (const socket of sockets) socket.resetAndDestroy();
      const began = performance.now();
      await until(() => openOf(service).files <= before.files + 2, 5000, 5);
      slowest = Math.max(slowest, performance.now() - began);
    }
    expect(slowest).toBeLessThan(1000);
    await until(() => aborted() >= 490, 1000);
    expect(openOf(service).files).toBeLessThanOrEqual(before.files + 2);
    expect(count(service.dataDir, 'photo')).toBe(1);
    // A temporary file is closed first and removed a moment later.
    await until(async () => (await storedFiles(service.dataDir)).length === files.length, 5000);
    expect(await storedFiles(service.dataDir)).toEqual(files);
    expect(service.lines.filter((line) => /"level":[56]0/.test(line))).toEqual([]);
    await expectGroundRule(service, idle);
  });

  it('C24: ten photographs of 20 MB at once from four sessions cost 150 MB at most, decoding among it', async () => {
    const service = await startService();
    const tokens = await Promise.all(Array.from({ length: 4 }, () => service.client.guest()));
    // 12 megapixels each; what is missing to 20 MB follows the picture.
    const photo = await jpeg(24, 4000, 3000);
    const photos = Array.from({ length: 14 }, () =>
      Buffer.concat([photo, randomFillSync(Buffer.alloc(19.9e6 - photo.length))]),
    );
    const send = (bytes: Uint8Array, index: number) =>
      service.client.upload(UPLOAD, { file: { bytes } }, {}, tokens[index % 4]);
    // The same, as many at once as are ever worked on: what the encoders have taken once they keep.
    await Promise.all(photos.slice(10).map(send));
    await until(() => count(service.dataDir, 'job') === 0, 60_000, 50);
    const idle = rssMb(service);
    await writeFile(`/proc/${service.child.pid}/clear_refs`, '5');
    const answers = await Promise.all(photos.slice(0, 10).map(send));
    expect(answers.map(({ errors }) => errors)).toEqual(answers.map(() => []));
    expect(peakRssMb(service) - idle).toBeLessThanOrEqual(150);
    await until(() => count(service.dataDir, 'job') === 0, 120_000, 200);
    await expectGroundRule(service, idle);
  });
});
