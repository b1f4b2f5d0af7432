import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { createClient } from 'graphql-ws';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { clientOf, RESTORE, type TestClient } from '../helpers/app.ts';
import { balanced } from '../helpers/books.ts';
import { startProcess, type ServiceProcess } from '../helpers/process.ts';
import { jpeg, until } from '../helpers/service.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'heirloom-faults-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
});

const path = (): string => join(dataDir, 'heirloom.sqlite');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function start(env: Record<string, string> = {}): Promise<{ service: ServiceProcess; client: TestClient }> {
  const service = await startProcess(dataDir, { RATE_LIMIT_RESTORATIONS_PER_MINUTE: '0', ...env });
  return { service, client: clientOf(service.url) };
}

/** Another process that holds the database for so long; resolves once it does. */
async function hold(ms: number): Promise<{ released: Promise<void> }> {
  const code = `const D = require('better-sqlite3'); const d = new D(process.argv[1], { timeout: 5000 });
    d.exec('begin exclusive'); console.log('held'); setTimeout(() => { d.exec('rollback'); process.exit(0) }, ${ms})`;
  const child = spawn(process.execPath, ['-e', code, path()], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const released = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return { released };
}

describe('C12: another process holds the database', () => {
  it('for 3 seconds: whoever writes waits and succeeds, jobs end, nothing else stands still', async () => {
    const { service, client } = await start();
    const token = await client.guest();
    const bytes = await Promise.all([1, 2, 3].map((seed) => jpeg(seed, 400, 300)));
    const before = await client.upload(RESTORE, { file: { bytes: bytes[0]! } }, {}, token);
    const socket = createClient({
      url: `${service.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      keepAlive: 300,
      connectionParams: { authorization: `Bearer ${token}` },
    });
    onTestFinished(() => void socket.dispose());
    let pongs = 0;
    socket.on('pong', () => (pongs += 1));
    const following = socket.iterate({ query: 'subscription { viewerActivity { cursor } }' });
    void following.next().catch(() => {});
    await until(() => pongs > 0);

    const { released } = await hold(3000);
    const pongsBefore = pongs;
    const slowest = { ms: 0 };
    const began = performance.now();
    const writes = [
      client.guest(),
      ...bytes.slice(1).map((file) => client.upload(RESTORE, { file: { bytes: file } }, {}, token)),
    ];
    for (let round = 0; round < 10; round++) {
      const asked = performance.now();
      expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
      slowest.ms = Math.max(slowest.ms, performance.now() - asked);
      await pause(100);
    }
    const [guest, ...uploads] = (await Promise.all(writes)) as [string, any, any];
    expect(performance.now() - began).toBeGreaterThan(2500);
    expect(guest).toMatch(/\./);
    for (const { errors } of uploads) expect(errors).toEqual([]);
    // With SQLite's own time-out the whole process stands still meanwhile.
    expect(slowest.ms).toBeLessThan(1000);
    expect(pongs - pongsBefore).toBeGreaterThan(3);
    await released;
    for (const { data } of [before, ...uploads]) {
      expect((await client.ended(data.restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
    }
    await balanced(dataDir);
  });

  it('for 10 seconds: a code that says to try again, no word of SQL, and what was accepted is done', async () => {
    const { service, client } = await start();
    const token = await client.guest();
    const accepted: string[] = [];
    for (const seed of [11, 12, 13]) {
      const { data } = await client.upload(RESTORE, { file: { bytes: await jpeg(seed, 700, 500) } }, {}, token);
      accepted.push(data.restorePhoto.restoration.id);
    }
    const { released } = await hold(10_000);
    const began = performance.now();
    const [upload, ...others] = await Promise.all([
      client.upload(RESTORE, { file: { bytes: await jpeg(14) } }, {}, token),
      ...Array.from({ length: 5 }, () => client.request('mutation { startGuestSession { token } }')),
    ]);
    expect(performance.now() - began).toBeLessThan(9500);
    for (const { status, errors, headers } of [upload, ...others]) {
      expect([status, errors[0]?.extensions.code]).toEqual([503, 'STORAGE_UNAVAILABLE']);
      expect(JSON.stringify(errors)).not.toMatch(/sqlite|insert|update|select|begin|locked/i);
      expect(headers.get('retry-after')).toBe('1');
    }
    // Who only reads is served all the same.
    expect((await client.ok('{ viewer { history { totalCount } } }', {}, token)).viewer.history.totalCount).toBe(3);
    await released;
    for (const id of accepted) expect((await client.ended(id, token)).status).toBe('SUCCEEDED');
    const again = await client.upload(RESTORE, { file: { bytes: await jpeg(14) } }, {}, token);
    expect((await client.ended(again.data.restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
    await until(async () => (await fetch(`${service.url}/health/ready`)).status === 200, 5000);
    await balanced(dataDir);
  });
});

describe('C13: the WAL', () => {
  it('grows under a long reader, 100,000 writes long, and is small again soon after that has ended', async () => {
    const { service, client } = await start();
    const token = await client.guest();
    const reader = new Database(path(), { readonly: true });
    reader.exec('begin');
    reader.prepare('select count(*) from session').get();
    const writer = new Database(path(), { timeout: 5000 });
    writer.exec('pragma synchronous = off; create table filler (id integer primary key, text text)');
    const insert = writer.prepare('insert into filler (text) values (?)');
    const many = writer.transaction((count: number) => {
      for (let number = 0; number < count; number++) insert.run('x'.repeat(200));
    });
    for (let done = 0; done < 100_000; done += 100) many(100);
    const size = async (): Promise<number> => (await stat(`${path()}-wal`)).size;
    expect(await size()).toBeGreaterThan(16e6);
    // The service writes and reads beside both.
    expect((await client.ok('{ viewer { user { id } } }', {}, token)).viewer.user.id).toBeTruthy();
    expect(await client.guest()).toMatch(/\./);
    reader.exec('commit');
    reader.close();
    let slowest = 0;
    await until(
      async () => {
        const asked = performance.now();
        await fetch(`${service.url}/health/live`);
        slowest = Math.max(slowest, performance.now() - asked);
        return (await size()) < 16e6;
      },
      25_000,
      50,
    );
    expect(slowest).toBeLessThan(2000);
    writer.close();
    expect(await client.guest()).toMatch(/\./);
    service.kill('SIGTERM');
    expect(await service.ended).toBe(0);
    await balanced(dataDir);
  });

  it('is emptied while others read, who see what they saw', async () => {
    const { client } = await start();
    const reader = new Database(path(), { readonly: true });
    const count = reader.prepare('select count(*) as n from user');
    await client.guest();
    reader.exec('begin');
    expect(count.get()).toEqual({ n: 1 });
    await client.guest();
    const checkpoint = new Database(path());
    checkpoint.pragma('wal_checkpoint(passive)');
    await client.guest();
    expect(count.get()).toEqual({ n: 1 });
    reader.exec('commit');
    expect(count.get()).toEqual({ n: 3 });
    reader.close();
    expect(checkpoint.pragma('wal_checkpoint(truncate)', { simple: true })).toBe(0);
    checkpoint.close();
    await client.guest();
    await balanced(dataDir);
  });
});
