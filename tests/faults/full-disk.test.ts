import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, UPLOAD, type TestClient } from '../helpers/app.ts';
import { rowsOf } from '../helpers/books.ts';
import { startProcess } from '../helpers/process.ts';
import { jpeg, storedFiles, until } from '../helpers/service.ts';
import { mayMount, smallDisk } from '../helpers/small-disk.ts';

const AGAIN = `mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }`;
const HISTORY = '{ viewer { history { totalCount } photos { totalCount } } }';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'heirloom-full-disk-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Goes on until it fails. */
async function untilFull(write: (n: number) => Promise<unknown>): Promise<void> {
  for (let n = 0; ; n++) {
    try {
      await write(n);
    } catch {
      return;
    }
  }
}

/** To the last byte. */
async function fillBytes(dir: string): Promise<void> {
  for (const size of [1e6, 4096]) {
    await untilFull(() => writeFile(join(dir, 'filler'), Buffer.alloc(size), { flag: 'a' }));
  }
}

const fillFiles = (dir: string): Promise<void> => untilFull((n) => writeFile(join(dir, `filler-${n}`), ''));

async function empty(dir: string): Promise<void> {
  for (const name of await readdir(dir)) if (name.startsWith('filler')) await rm(join(dir, name));
}

async function ready(url: string): Promise<[number, Record<string, string> | undefined]> {
  const response = await fetch(`${url}/health/ready`);
  return [response.status, ((await response.json()) as { problems?: Record<string, string> }).problems];
}

async function restored(client: TestClient, photoId: string, token: string): Promise<any> {
  const { restorePhoto } = await client.ok(AGAIN, { id: photoId }, token);
  return client.ended(restorePhoto.restoration.id, token);
}

describe.skipIf(!mayMount)('C11: a disk that is full (mounts a tmpfs: needs root on Linux)', () => {
  it.each<[string, string, (dir: string) => Promise<void>, RegExp]>([
    ['its bytes', 'size=40m', fillBytes, /Less than 16 MB|No space is left/],
    ['its files', 'size=64m,nr_inodes=300', fillFiles, /hardly any more files|No space is left/],
  ])(
    'by %s: work fails with STORAGE_FULL and leaves nothing, the health says it, and both recover',
    async (...args) => {
      const [, options, fill, sentence] = args;
      const [dataDir, disk] = [await folder(), smallDisk(options)];
      const env = { STORAGE_PATH: disk, MAX_ATTEMPTS: '2', SHUTDOWN_GRACE_SECONDS: '0' };
      const service = await startProcess(dataDir, env);
      const client = clientOf(service.url);
      const token = await client.guest();
      const { data } = await client.upload(UPLOAD, { file: { bytes: await jpeg(20, 400, 300) } }, {}, token);
      const { id, url } = data.uploadPhoto.photo;
      expect(await ready(service.url)).toEqual([200, undefined]);
      // The photo, its renditions, and nothing on the way.
      await until(() => rowsOf(dataDir, 'select 1 from job').length === 0);
      expect(await storedFiles(disk)).toHaveLength(5);
      const before = await storedFiles(disk);

      await fill(disk);
      const failed = await restored(client, id, token);
      expect(failed).toMatchObject({ status: 'FAILED', attempts: 2, error: { code: 'STORAGE_FULL', retryable: true } });
      expect(await storedFiles(disk)).toEqual(before);
      await until(async () => (await ready(service.url))[0] === 503, 2000);
      expect((await ready(service.url))[1]).toEqual({ storage: expect.stringMatching(sentence) });
      // Who only reads is served all the same.
      expect((await fetch(url)).status).toBe(200);
      expect((await client.ok(HISTORY, {}, token)).viewer.history.totalCount).toBe(1);

      await empty(disk);
      await until(async () => (await ready(service.url))[0] === 200, 2000);
      expect((await restored(client, id, token)).status).toBe('SUCCEEDED');
    },
  );

  it('but for a few kilobytes: the health says so before the first upload would', async () => {
    const disk = smallDisk('size=20m');
    const service = await startProcess(await folder(), { STORAGE_PATH: disk });
    expect((await ready(service.url))[0]).toBe(200);
    await writeFile(join(disk, 'filler'), Buffer.alloc(10e6));
    await until(async () => (await ready(service.url))[0] === 503, 2000);
    expect((await ready(service.url))[1]).toEqual({ storage: 'Less than 16 MB of room are left on the disk.' });
    await empty(disk);
    await until(async () => (await ready(service.url))[0] === 200, 2000);
  });

  it('under the database alone: writes are STORAGE_FULL, reads go on, what was accepted is done', async () => {
    const [dataDir, disk] = [await folder(), smallDisk('size=24m')];
    const service = await startProcess(dataDir, { DATABASE_URL: join(disk, 'heirloom.sqlite') });
    const client = clientOf(service.url);
    const token = await client.guest();
    const { data } = await client.upload(UPLOAD, { file: { bytes: await jpeg(21, 400, 300) } }, {}, token);
    const { id, url } = data.uploadPhoto.photo;
    const { restorePhoto } = await client.ok(AGAIN, { id }, token);
    await fillBytes(disk);
    // What the WAL has room for still goes through.
    const codes = new Set<string>();
    await until(async () => {
      const { status, errors } = await client.request('mutation { startGuestSession { token } }');
      if (errors[0] !== undefined) codes.add(`${status} ${errors[0].extensions.code}`);
      expect(JSON.stringify(errors)).not.toMatch(/sqlite|insert|disk is full/i);
      return codes.size > 0;
    });
    expect([...codes]).toEqual(['507 STORAGE_FULL']);
    const { status, errors } = await client.upload(UPLOAD, { file: { bytes: await jpeg(22) } }, {}, token);
    expect([status, errors[0]?.extensions.code]).toEqual([507, 'STORAGE_FULL']);
    await until(async () => (await ready(service.url))[0] === 503, 2000);
    expect((await ready(service.url))[1]).toEqual({ database: expect.stringMatching(/Less than 16 MB/) });
    expect((await client.ok(HISTORY, {}, token)).viewer.photos.totalCount).toBe(1);
    expect((await fetch(url)).status).toBe(200);

    await empty(disk);
    await until(async () => (await ready(service.url))[0] === 200, 2000);
    expect((await client.ended(restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
    expect((await restored(client, id, token)).status).toBe('SUCCEEDED');
    expect((await readdir(join(dataDir, 'tmp'))).length).toBe(0);
    expect(service.child.exitCode).toBeNull();
  });
});
