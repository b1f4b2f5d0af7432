import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { clientOf, RESTORE, type TestClient } from './helpers/app.ts';
import { balanced, rowsOf } from './helpers/books.ts';
import { DidNotStart, startProcess, type ServiceProcess } from './helpers/process.ts';
import { FOLLOW, jpeg, until } from './helpers/service.ts';

const FINAL = ['SUCCEEDED', 'FAILED', 'CANCELLED'];

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'heirloom-crash-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
});

const rows = <T = any>(query: string, ...params: unknown[]): T[] => rowsOf<T>(dataDir, query, ...params);

const localId = (id: string): string => Buffer.from(id, 'base64').toString().split(':')[1]!;

/** Numbers in [0, 1) that are the same in every run (Numerical Recipes' generator). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function submit(client: TestClient, token: string, bytes: Uint8Array, variables: object = {}): Promise<string> {
  const { data, errors } = await client.upload(RESTORE, { file: { bytes } }, variables, token);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.restorePhoto.restoration.id;
}

const restorationRow = (id: string): any => rows('select * from restoration where id = ?', localId(id))[0];

describe('kill -9', () => {
  it('C1, C2: whatever the moment, every accepted restoration reaches its end once, and nothing is left over', async () => {
    const random = numbers(20_260_101);
    const env = { MAX_CONCURRENT_RESTORATIONS: '2', SESSION_CLEANUP_HOURS: '0' };
    let service: ServiceProcess = await startProcess(dataDir, env);
    let client = clientOf(service.url);
    const token = await client.guest();
    const accepted = new Set<string>();
    const starts: number[] = [];
    let seed = 500;
    for (let round = 0; round < 5; round++) {
      const photos = await Promise.all(Array.from({ length: 3 }, () => jpeg(seed++, 360, 280)));
      const now = client;
      // Spread out, so that some are being uploaded while others run; what was not answered was not accepted.
      const sending = Promise.allSettled(
        photos.map(async (bytes, index) => {
          await new Promise((resolve) => setTimeout(resolve, index * 150 * random()));
          accepted.add(await submit(now, token, bytes));
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 50 + 900 * random()));
      service.kill('SIGKILL');
      await service.ended;
      await sending;
      const dead = rows('select distinct lease_owner as owner from job where lease_owner is not null').map(
        ({ owner }) => owner,
      );
      service = await startProcess(dataDir, env);
      client = clientOf(service.url);
      starts.push(service.startedIn);
      const holders = rows('select lease_owner as owner from job').map(({ owner }) => owner);
      expect(dead.filter((owner) => holders.includes(owner))).toEqual([]);
    }
    // What was held by the dead is taken back before the service answers; beside other tests the best start counts.
    expect(Math.min(...starts)).toBeLessThan(2000);

    expect(accepted.size).toBeGreaterThan(5);
    await until(() => rows('select 1 from job').length === 0, 30_000, 100);
    for (const id of accepted) {
      const { status, error_code: code, error_message: message, storage_key: key } = restorationRow(id);
      expect(FINAL).toContain(status);
      const good = status === 'FAILED' ? code === 'WORKER_CRASH' : key !== null;
      expect(good ? 'good' : `${status} ${code} ${message}`).toBe('good');
    }
    const all = rows<any>('select attempts from restoration');
    expect(all.length).toBeGreaterThanOrEqual(accepted.size);
    expect(all.some(({ attempts }) => attempts > 1)).toBe(true);

    // The sweep of one more start finds what the last crash has left behind.
    service.kill('SIGKILL');
    await service.ended;
    service = await startProcess(dataDir, env);
    await balanced(dataDir, { ms: 5000 });
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
    const lines = service.lines.map((line) => JSON.parse(line) as { level: number; msg: string });
    expect(lines.filter(({ level }) => level >= 50)).toEqual([]);
  }, 90_000);

  it('C1: work that ends the process three times is given up, not tried for ever', async () => {
    let service = await startProcess(dataDir);
    let client = clientOf(service.url);
    const token = await client.guest();
    const id = await submit(client, token, await jpeg(600, 1000, 800), { modelId: 'upscale-4x' });
    for (let crash = 1; crash <= 3; crash++) {
      await until(() => restorationRow(id).status === 'RUNNING' && restorationRow(id).attempts === crash);
      service.kill('SIGKILL');
      await service.ended;
      service = await startProcess(dataDir);
      client = clientOf(service.url);
    }
    const failed = await client.ended(id, token);
    expect(failed).toMatchObject({ status: 'FAILED', attempts: 3, error: { code: 'WORKER_CRASH', retryable: false } });
    expect(failed.runs.map((run: any) => run.error.code)).toEqual(['WORKER_CRASH', 'WORKER_CRASH', 'WORKER_CRASH']);
    expect(rows("select 1 from job where kind = 'restoration'")).toEqual([]);
  }, 60_000);
});

describe('C7: SIGTERM', () => {
  it('lets go of what runs within the grace, sends sockets away with 1012, and goes on after the start', async () => {
    let service = await startProcess(dataDir, { SHUTDOWN_GRACE_SECONDS: '0.3', MAX_CONCURRENT_RESTORATIONS: '1' });
    const client = clientOf(service.url);
    const token = await client.guest();
    const ids = [await submit(client, token, await jpeg(610, 900, 700)), await submit(client, token, await jpeg(611))];
    const closed = new Promise<number>((resolve) => {
      createClient({
        url: `${service.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: token },
        retryAttempts: 0,
        on: { closed: (event: any) => resolve(event.code) },
      }).subscribe({ query: FOLLOW, variables: { id: ids[0] } }, { next() {}, error() {}, complete() {} });
    });
    await until(() => restorationRow(ids[0]!).stage === 'DENOISING', 10_000, 5);
    const began = performance.now();
    service.kill('SIGTERM');
    expect(await closed).toBe(1012);
    expect(await service.ended).toBe(0);
    expect(performance.now() - began).toBeLessThan(4000);
    expect(restorationRow(ids[0]!)).toMatchObject({ status: 'QUEUED', attempts: 1, tries_left: 3 });
    expect(restorationRow(ids[1]!)).toMatchObject({ status: 'QUEUED', attempts: 0, tries_left: 3 });

    service = await startProcess(dataDir);
    const after = clientOf(service.url);
    const [first, second] = [await after.ended(ids[0]!, token), await after.ended(ids[1]!, token)];
    expect([first.status, first.attempts, first.runs[0].error.code]).toEqual(['SUCCEEDED', 2, 'SHUTTING_DOWN']);
    expect([second.status, second.attempts]).toEqual(['SUCCEEDED', 1]);
  }, 40_000);

  it('a second one ends it within a second; an idle service stops at once', async () => {
    const busy = await startProcess(dataDir);
    const client = clientOf(busy.url);
    const token = await client.guest();
    const id = await submit(client, token, await jpeg(612, 1000, 800), { modelId: 'upscale-4x' });
    await until(() => restorationRow(id).status === 'RUNNING');
    busy.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const began = performance.now();
    busy.kill('SIGTERM');
    expect(await busy.ended).toBe(1);
    expect(performance.now() - began).toBeLessThan(1000);

    const other = await mkdtemp(join(tmpdir(), 'heirloom-idle-'));
    onTestFinished(() => rm(other, { recursive: true, force: true }));
    const idle = await startProcess(other);
    const asked = performance.now();
    idle.kill('SIGINT');
    expect(await idle.ended).toBe(0);
    expect(performance.now() - asked).toBeLessThan(500);
  }, 40_000);
});

it('a second process on the same data folder refuses with a sentence that names the first', async () => {
  const first = await startProcess(dataDir);
  const second = await startProcess(dataDir).catch((error: unknown) => error);
  expect(second).toBeInstanceOf(DidNotStart);
  const { code, message } = second as DidNotStart;
  expect(code).toBe(2);
  expect(message).toContain(`in use by the service at ${first.url} (process ${first.child.pid})`);
  expect(message).not.toContain('    at ');
  expect((await fetch(`${first.url}/health/ready`)).status).toBe(200);
}, 20_000);
