import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { FAILPOINTS, type Failpoint } from '../../src/failpoints.ts';
import { appForTest, clientOf, RESTORE, type TestApp, type TestClient } from '../helpers/app.ts';
import { balanced, rowsOf } from '../helpers/books.ts';
import { startProcess, type DidNotStart } from '../helpers/process.ts';
import { idle, jpeg, until } from '../helpers/service.ts';

const ERASING = {
  'a photo is deleted': 'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }',
  'a guest logs out': 'mutation { logout { sessionId } }',
};

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'heirloom-failpoint-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
});

const restorations = (): any[] => rowsOf(dataDir, 'select id, status, attempts, fence from restoration');

/** Starts a service that ends itself at a failpoint, perhaps before it says so; does `work`, and waits until it has gone. */
async function killedAt(fault: string, work: (client: TestClient) => Promise<unknown> = async () => {}): Promise<void> {
  const env = { FAILPOINT: fault, MAX_CONCURRENT_RESTORATIONS: '1' };
  const service = await startProcess(dataDir, env).catch((error: unknown) => error as DidNotStart);
  // What asked for it is cut off with the process.
  if ('url' in service) await work(clientOf(service.url)).catch(() => {});
  expect('url' in service ? await service.ended : service.code).toBe('SIGKILL');
  // The next start is within this process, and much faster than that of any other.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

/** The next start, until nothing is left to do; C1: what the dead held is taken back before it answers. */
async function recovered(): Promise<TestApp> {
  const app = await appForTest({ DATA_DIR: dataDir });
  await idle(app);
  await balanced(dataDir, { ms: 5000 });
  return app;
}

async function submit(client: TestClient): Promise<void> {
  const token = await client.guest();
  const { errors } = await client.upload(RESTORE, { file: { bytes: await jpeg(800) } }, { key: 'k' }, token);
  expect(errors).toEqual([]);
}

/** Points that a submission passes, each with what stands after the next start: tries begun, or null = it was never accepted. */
const SUBMISSION: [Failpoint, time: number, attempts: number | null][] = [
  ['upload-spooled', 1, null],
  ['original-stored', 1, null],
  ['submission-committed', 1, 1],
  ['job-claimed', 1, 1],
  ['result-made', 1, 2],
  ['result-stored', 1, 2],
  ['result-rendition-stored', 4, 2],
  ['success-committed', 1, 1],
  ['run-ended', 1, 1],
];

it.each(SUBMISSION)('C3: killed at %s (%i): accepted or not, but not between', async (point, time, attempts) => {
  await killedAt(`${point}:kill:${time}`, submit);
  await recovered();
  const expected = attempts === null ? [] : [{ status: 'SUCCEEDED', attempts }];
  expect(restorations()).toMatchObject(expected);
  expect(rowsOf(dataDir, 'select id from photo')).toHaveLength(expected.length);
  expect(rowsOf(dataDir, 'select id from rendition')).toHaveLength(8 * expected.length);
});

it.each([1, 3])('C3: killed when %i of the renditions of a photo are stored: they are made again', async (time) => {
  await killedAt(`rendition-stored:kill:${time}`, submit);
  await recovered();
  expect(rowsOf(dataDir, 'select id from rendition where owner_id in (select id from photo)')).toHaveLength(4);
});

it('C3: killed while it takes back what a dead process held: taken back once more, one crash counted', async () => {
  await killedAt('result-made:kill', submit);
  await killedAt('job-reclaimed:kill');
  expect(restorations()).toMatchObject([{ status: 'QUEUED', attempts: 1 }]);
  await recovered();
  expect(restorations()).toMatchObject([{ status: 'SUCCEEDED', attempts: 2 }]);
  expect(rowsOf(dataDir, 'select error_code as code from run order by number')).toEqual([
    { code: 'WORKER_CRASH' },
    { code: null },
  ]);
});

it.each([
  ['job-claimed', 0],
  ['result-stored', 3],
] as const)(
  'C1, C3: killed three times at %s: WORKER_CRASH after %i tries, and no file of them',
  async (point, attempts) => {
    for (let crash = 1; crash <= 3; crash++) await killedAt(`${point}:kill`, crash === 1 ? submit : undefined);
    await recovered();
    expect(rowsOf(dataDir, 'select status, attempts, error_code as code from restoration')).toEqual([
      { status: 'FAILED', attempts, code: 'WORKER_CRASH' },
    ]);
  },
);

it.each([
  ['rows-erased', 1, 'a photo is deleted'],
  ['file-erased', 3, 'a photo is deleted'],
  ['file-erased', 3, 'a guest logs out'],
] as const)('C3: killed at %s (%i) while %s: nothing comes back, nothing stays', async (point, time, what) => {
  await killedAt(`${point}:kill:${time}`, async (client) => {
    const token = await client.guest();
    const { data } = await client.upload(RESTORE, { file: { bytes: await jpeg(801) } }, {}, token);
    const { photo, restoration } = data.restorePhoto;
    await client.ended(restoration.id, token);
    await until(() => rowsOf(dataDir, 'select 1 from job').length === 0);
    await client.ok(ERASING[what], what === 'a photo is deleted' ? { id: photo.id } : {}, token);
  });
  await recovered();
  for (const table of ['photo', 'restoration', 'rendition', 'run', 'submission'])
    expect(rowsOf(dataDir, `select * from ${table}`)).toEqual([]);
});

it.each(['rows-erased', 'file-erased'] as const)(
  'C3: killed at %s during the clean-up: the next one ends it',
  async (point) => {
    const service = await startProcess(dataDir, {});
    await submit(clientOf(service.url));
    await until(() => rowsOf(dataDir, 'select 1 from job').length === 0);
    service.kill('SIGKILL');
    await service.ended;
    const database = new Database(join(dataDir, 'heirloom.sqlite'));
    database.exec('update session set last_accessed_at = last_accessed_at - 172800000');
    database.close();
    await killedAt(`${point}:kill`);
    await recovered();
    const left = (table: string): number => rowsOf(dataDir, `select 1 from ${table}`).length;
    await until(() => left('user') === 0);
    await balanced(dataDir, { ms: 5000 });
    expect(['session', 'photo', 'restoration', 'rendition'].map(left)).toEqual([0, 0, 0, 0]);
  },
);

it('C3: every failpoint is tried', () => {
  const elsewhere: Failpoint[] = ['rendition-stored', 'job-reclaimed', 'rows-erased', 'file-erased'];
  const tried = new Set([...SUBMISSION.map(([point]) => point), ...elsewhere]);
  expect(FAILPOINTS.filter((point) => !tried.has(point))).toEqual([]);
});
