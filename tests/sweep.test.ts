import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../src/db/ids.ts';
import { createSlowClock } from '../src/ops/slow-clock.ts';
import { createSweep } from '../src/ops/sweep.ts';
import { createLog } from '../src/log.ts';
import { createStorage } from '../src/storage/create.ts';
import { createDiskStorage } from '../src/storage/disk.ts';
import { appForTest, RESTORE, startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { idle, jpeg, namedFiles, sql, storedFiles, until } from './helpers/service.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NEVER = new AbortController().signal;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-sweep-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
});

/** A file of `ageMs`; a negative age lies in the future. */
async function plant(key: string, ageMs: number, bytes = 'left behind'): Promise<string> {
  const path = join(folder, key);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  const at = new Date(Date.now() - ageMs);
  await utimes(path, at, at);
  return key;
}

const orphan = (): string => `uploads/${newId()}/${newId()}_photo.jpg`;

/** A service, and one uploaded and restored photo of a guest. */
async function used(env: Record<string, string> = {}, lines: string[] = []): Promise<{ app: TestApp; token: string }> {
  const app = await appForTest({ DATA_DIR: folder, LOG_LEVEL: 'warn', ...env }, lines);
  const token = await app.guest();
  const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(810) } }, {}, token);
  await app.ended(data.restorePhoto.restoration.id, token);
  await idle(app);
  return { app, token };
}

describe('C14: files without a row', () => {
  it('go once they are older than the grace period; younger ones and those of others stay', async () => {
    const { app } = await used();
    const kept = await namedFiles(app);
    const young = [await plant(orphan(), 9 * MINUTE), await plant(`processed/x/${newId()}_photo.webp`, 0)];
    // Older than the process, they could not be its own.
    for (const key of young) await utimes(join(folder, key), new Date(), new Date());
    const foreign = [
      await plant('uploads/holiday.jpg', DAY),
      await plant('processed/1234_photo.jpg', DAY),
      await plant(`uploads/${newId().replaceAll('-', '_')}_photo.jpg`, DAY),
      await plant(`elsewhere/${newId()}_photo.jpg`, DAY),
    ];
    const old = [await plant(orphan(), 11 * MINUTE), await plant(`processed/account/${newId()}_a.png`, 400 * DAY)];
    await plant('tmp/old.part', 2 * 60 * MINUTE);
    await plant('tmp/fresh.part', 0);
    foreign.push(await plant('tmp/letter.txt', DAY));
    const done = await app.app.services.cleanup.run();
    expect(done).toMatchObject({ orphanFiles: old.length, temporaryFiles: 1, foreignFiles: 3 });
    const expected = [...kept, ...young, ...foreign, 'tmp/fresh.part'].filter((key) => !key.startsWith('elsewhere'));
    expect(await storedFiles(folder)).toEqual(expected.toSorted());
  });

  it('stay where most files have none: then it is the database that is wrong', async () => {
    const first = await startApp({ DATA_DIR: folder });
    const token = await first.guest();
    for (let seed = 820; seed < 827; seed++) {
      await first.upload(UPLOAD, { file: { bytes: await jpeg(seed) } }, {}, token);
    }
    await idle(first);
    const files = await namedFiles(first);
    expect(files.length).toBeGreaterThan(20);
    await first.close();

    const lines: string[] = [];
    const DATABASE_URL = join(folder, 'another.sqlite');
    const wrong = await startApp({ DATA_DIR: folder, DATABASE_URL, LOG_LEVEL: 'error' }, lines);
    await until(() => lines.some((line) => line.includes('is this the right database?')));
    await wrong.close();
    expect(await storedFiles(folder)).toEqual(files);
    const right = await appForTest({ DATA_DIR: folder });
    expect(await namedFiles(right)).toEqual(files);
  });

  it('stay, be they ever so few, when the database was made after them: the one before may come back', async () => {
    const lines: string[] = [];
    const files = [await plant(orphan(), DAY), await plant(orphan(), 2 * MINUTE)];
    const app = await appForTest({ DATA_DIR: folder, LOG_LEVEL: 'error' }, lines);
    await until(() => lines.some((line) => line.includes('is this the right database?')));
    expect(await storedFiles(folder)).toEqual(files.toSorted());
    expect(await app.app.services.cleanup.run()).toMatchObject({ orphanFiles: 2 });
  });

  it('are looked for batch by batch, in pauses, until somebody stops it', async () => {
    const { app } = await used();
    for (let number = 0; number < 500; number++) await plant(orphan(), DAY);
    const stop = new AbortController();
    const sweep = createSweep({
      storage: createStorage(createDiskStorage({ root: folder })),
      fork: () => app.app.systemContext().em,
      log: createLog('silent'),
      folders: ['uploads'],
      scratchDir: join(folder, 'tmp'),
      leftBehind: new Set(),
      clock: createSlowClock({ now: Date.now }),
    });
    const finding = sweep.find(stop.signal, { gently: true });
    for (let seen = 0; seen < 100; seen++) expect((await finding.next()).value?.kind).toMatch(/orphanFiles|named/);
    stop.abort();
    await expect(Array.fromAsync(finding)).rejects.toThrow('aborted');
    expect(await sweep.files(NEVER)).toMatchObject({ orphanFiles: 500 });
  });
});

describe('C14: rows without a file', () => {
  it('are told by the link, the log and the health; a size is made again', async () => {
    const first = await startApp({ DATA_DIR: folder });
    const token = await first.guest();
    const { data } = await first.upload(RESTORE, { file: { bytes: await jpeg(830) } }, {}, token);
    const { id } = data.restorePhoto.restoration;
    const result = await first.ended(id, token);
    await idle(first);
    const [row] = await sql(first, 'select storage_key as key from restoration');
    const [size] = await sql(
      first,
      `select r.storage_key as key from rendition r join photo p on p.id = r.owner_id
      where name = 'THUMBNAIL'`,
    );
    await first.close();
    await rm(join(folder, row.key));
    await rm(join(folder, size.key));

    const lines: string[] = [];
    const app = await appForTest({ DATA_DIR: folder, LOG_LEVEL: 'error' }, lines);
    const health = async () => (await app.ok('{ health { ok missingFiles } }')).health;
    await until(async () => (await health()).missingFiles === 1);
    expect(await health()).toEqual({ ok: true, missingFiles: 1 });
    const missing = lines.filter((line) => line.includes('a file is missing'));
    expect(missing.map((line) => JSON.parse(line).key).toSorted()).toEqual([row.key, size.key].toSorted());

    const link = await fetch(result.url.replace(first.url, app.url));
    expect([link.status, ((await link.json()) as any).errors[0].extensions.code]).toEqual([404, 'NOT_FOUND']);
    const AGAIN = 'query ($id: ID!) { photo(id: $id) { rendition(name: THUMBNAIL) { url } } }';
    const { photo } = await app.ok(AGAIN, { id: data.restorePhoto.photo.id }, token);
    expect((await fetch(photo.rendition.url)).status).toBe(200);
  });
});

describe('C14: deletion', () => {
  const DELETE = 'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { __typename } }';

  it('takes every size along', async () => {
    const { app, token } = await used();
    const LARGE = 'query ($id: ID!) { photo(id: $id) { rendition(name: ORIGINAL) { url } } }';
    const [{ id }] = (
      await app.ok('{ viewer { photos { edges { node { id } } } } }', {}, token)
    ).viewer.photos.edges.map(({ node }: any) => node);
    await app.ok(LARGE, { id }, token);
    expect((await storedFiles(folder)).length).toBeGreaterThan(8);
    await app.ok(DELETE, { id }, token);
    expect(await storedFiles(folder)).toEqual([]);
    expect(await namedFiles(app)).toEqual([]);
  });

  it('of a photo whose job runs cancels that, at whatever moment, and nothing comes back', async () => {
    const app = await appForTest({ DATA_DIR: folder, MAX_CONCURRENT_RESTORATIONS: '1' });
    const token = await app.guest();
    for (const [index, waitMs] of [0, 30, 80, 150, 250, 400, 700].entries()) {
      const bytes = await jpeg(840 + index, 500, 400);
      const { data } = await app.upload(RESTORE, { file: { bytes } }, {}, token);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      await app.ok(DELETE, { id: data.restorePhoto.photo.id }, token);
      const QUERY = 'query ($id: ID!) { restoration(id: $id) { id } }';
      expect((await app.ok(QUERY, { id: data.restorePhoto.restoration.id }, token)).restoration).toBeNull();
    }
    await idle(app);
    await until(async () => (await app.app.services.health.ready()).queue.running === 0);
    await until(async () => (await storedFiles(folder)).length === 0, 5000);
    expect(await sql(app, 'select id from rendition union all select id from run')).toEqual([]);
  });

  it('of idle guests while their photos are restored leaves nothing, and the others whole', async () => {
    const app = await appForTest({
      DATA_DIR: folder,
      SESSION_CLEANUP_HOURS: '1',
      RATE_LIMIT_RESTORATIONS_PER_MINUTE: '0',
    });
    const guests = await Promise.all(Array.from({ length: 6 }, () => app.guest()));
    const ids = await Promise.all(
      guests.map(async (token, index) => {
        const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(860 + index, 500, 400) } }, {}, token);
        return data.restorePhoto.restoration.id as string;
      }),
    );
    const sid = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sid as string;
    for (const token of guests.slice(0, 3)) {
      await sql(app, 'update session set last_accessed_at = ? where id = ?', [
        Date.now() - 2 * 60 * MINUTE,
        sid(token),
      ]);
    }
    expect(await app.app.services.cleanup.run()).toMatchObject({ failed: 0 });
    const others = await Promise.all(ids.slice(3).map((id, index) => app.ended(id, guests[index + 3]!)));
    expect(others.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']);
    await idle(app);
    await until(async () => (await storedFiles(folder)).length === (await namedFiles(app)).length, 5000);
    expect(await storedFiles(folder)).toEqual(await namedFiles(app));
    expect(await sql(app, 'select id from user')).toHaveLength(3);
  });
});

describe('C10: a clock that is set', () => {
  /** A sweeper with clocks moved by hand, over a real folder; `moved` is what the wall clock was set by. */
  async function withClock(app: TestApp, moved: { ms: number }) {
    const clock = createSlowClock({ now: () => Date.now() + moved.ms });
    return createSweep({
      storage: createStorage(createDiskStorage({ root: folder })),
      fork: () => app.app.systemContext().em,
      log: createLog('silent'),
      folders: ['uploads'],
      scratchDir: join(folder, 'tmp'),
      leftBehind: new Set(),
      clock,
    });
  }

  it.each([
    ['an hour forward', 60 * MINUTE],
    ['a day forward', DAY],
    ['an hour back', -60 * MINUTE],
    ['a day back', -DAY],
  ])('%s costs nothing that is under way, and what is old goes in the end', async (_name, ms) => {
    const { app } = await used();
    const moved = { ms: 0 };
    const sweep = await withClock(app, moved);
    // Written before the clock was set, and after.
    const before = await plant(orphan(), 0);
    const inTmp = await plant('tmp/before.part', 0);
    moved.ms = ms;
    const after = await plant(orphan(), -ms);
    const afterInTmp = await plant('tmp/after.part', -ms);
    const young = [before, inTmp, after, afterInTmp];
    expect(await sweep.files(NEVER)).toMatchObject({ orphanFiles: 0, temporaryFiles: 0 });
    expect(await storedFiles(folder)).toEqual([...(await namedFiles(app)), ...young].toSorted());
    const old = await plant(orphan(), 3 * DAY);
    expect(await sweep.files(NEVER)).toMatchObject({ orphanFiles: 1 });
    expect(await storedFiles(folder)).not.toContain(old);
  });

  it('a file from a far future does not stay for ever', async () => {
    const { app } = await used();
    await plant(orphan(), -3000 * DAY);
    await plant('tmp/future.part', -3000 * DAY);
    expect(await app.app.services.cleanup.run()).toMatchObject({ orphanFiles: 1, temporaryFiles: 1 });
  });

  it('set forward by a day ends no session that was used a minute ago', () => {
    let wall = 1_800_000_000_000;
    let steady = 5;
    const clock = createSlowClock({ now: () => wall, steady: () => steady });
    wall += DAY;
    steady += MINUTE;
    expect(clock.now()).toBe(1_800_000_000_000 + MINUTE);
    wall -= 2 * DAY;
    expect(clock.now()).toBe(1_800_000_000_000 - DAY);
    expect(clock.wentBack()).toBe(true);
  });
});
