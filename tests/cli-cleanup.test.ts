import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../src/db/ids.ts';
import { RESTORE, startApp } from './helpers/app.ts';
import { folderForTest, runCli, startService } from './helpers/cli.ts';
import { idle as idleQueue, jpeg, storedFiles } from './helpers/service.ts';

const HOUR = 3_600_000;
const ENV = { SESSION_CLEANUP_HOURS: '1' };

let cwd: string;
let dataDir: string;
beforeEach(async () => {
  cwd = await folderForTest();
  dataDir = join(cwd, 'data');
});

const cleanup = (...args: string[]) => runCli(['cleanup', ...args], { cwd, env: ENV });

/** Everything that a data folder holds, times included. */
async function state(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { mtimeMs, mode } = await stat(path);
    const content = entry.isFile()
      ? createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
      : 'folder';
    // The lock comes and goes in a journal of its own beside its file.
    if (!entry.name.startsWith('lock.sqlite'))
      found[relative(dataDir, path)] = `${content} ${mode} ${entry.isFile() ? mtimeMs : ''}`;
  }
  return found;
}

async function plant(key: string): Promise<string> {
  const path = join(dataDir, key);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'left behind');
  await utimes(path, new Date(Date.now() - HOUR), new Date(Date.now() - HOUR));
  return key;
}

interface World {
  /** The files of the guest who is idle. */
  guestFiles: string[];
  orphans: string[];
  temporary: string[];
}

/** A data folder with one of everything that a clean-up knows. */
async function world(): Promise<World> {
  const app = await startApp({ DATA_DIR: dataDir, ...ENV });
  const REGISTER = 'mutation { register(input: { username: "anna", password: "a good password" }) { token } }';
  const tokens = [await app.guest(), await app.guest(), (await app.ok(REGISTER)).register.token as string];
  for (const [index, token] of tokens.entries()) {
    const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(900 + index) } }, { key: 'k' }, token);
    await app.ended(data.restorePhoto.restoration.id, token);
  }
  await idleQueue(app);
  await app.close();
  const [idle, , account] = tokens.map(
    (token) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sid as string,
  );
  const database = new Database(join(dataDir, 'heirloom.sqlite'));
  const back = database.prepare('update session set last_accessed_at = ? where id = ?');
  for (const id of [idle, account]) back.run(Date.now() - 2 * HOUR, id);
  const aged = database.prepare(`update submission set created_at = ?
    where user_id = (select id from user where username = 'anna')`);
  expect(aged.run(Date.now() - 25 * HOUR).changes).toBe(1);
  database.close();
  const guestFiles = (await storedFiles(dataDir)).filter((key) => key.includes(idle!));
  return {
    guestFiles,
    orphans: [
      await plant(`uploads/${newId()}/${newId()}_photo.jpg`),
      await plant(`processed/${newId()}/${newId()}_a.png`),
    ],
    temporary: [await plant(`tmp/${newId()}.part`), await plant(`tmp/${newId()}.webp`)],
  };
}

describe('C14: cleanup --dry-run', () => {
  it('shows what would go and changes nothing; the clean-up then removes exactly that', async () => {
    const { guestFiles, orphans, temporary } = await world();
    await plant('uploads/README.txt');
    expect(guestFiles.length).toBeGreaterThan(5);
    const before = await state();

    const shown = await cleanup('--dry-run');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    for (const line of [
      /^ +1 guests would be removed with all their photos$/m,
      new RegExp(`^ +${guestFiles.length} files of theirs: [\\d.]+ kB$`, 'm'),
      /^ +1 idle sessions of accounts would end$/m,
      /^ +2 old temporary files would be removed: 22 bytes$/m,
      /^ +2 files that no photo or result names would be removed: 22 bytes$/m,
      /^ +1 files that are not of Heirloom would be left alone/m,
      /^ +1 old idempotency keys would be removed$/m,
      new RegExp(`^ +and ${guestFiles.length - 3} more$`, 'm'),
      / {8}[0-9a-f-]{36}\.webp$/m,
    ]) {
      expect(shown.stdout).toMatch(line);
    }

    const listed = await cleanup('--dry-run', '--list');
    const named = (kind: string): string[] =>
      listed.stdout.split('\n').flatMap((line) => (line.startsWith(`${kind}\t`) ? [line.split('\t')[1]!] : []));
    expect(named('guestFiles').toSorted()).toEqual(guestFiles);
    expect(named('orphanFiles').toSorted()).toEqual(orphans.toSorted());
    expect(
      named('temporaryFiles')
        .map((name) => `tmp/${name}`)
        .toSorted(),
    ).toEqual(temporary.toSorted());
    expect(await state()).toEqual(before);

    const files = await storedFiles(dataDir);
    const done = await cleanup();
    expect(done).toMatchObject({ code: 0 });
    for (const line of [
      /1 guests removed/,
      /1 idle sessions/,
      /2 old temporary/,
      /2 files removed/,
      /1 old idempotency/,
    ]) {
      expect(done.stdout).toMatch(line);
    }
    const gone = new Set([...guestFiles, ...orphans, ...temporary]);
    expect(await storedFiles(dataDir)).toEqual(files.filter((key) => !gone.has(key)));
    const after = await cleanup('--dry-run', '--list');
    expect(after.stdout).toBe('foreignFiles\tuploads/README.txt\n');
  });

  it('works beside a service, and leaves out what that may be working on', async () => {
    const { orphans } = await world();
    // What is older than the database would stay.
    for (const key of orphans) await utimes(join(dataDir, key), new Date(), new Date());
    await using service = await startService({ cwd, env: { ...ENV, SESSION_CLEANUP_INTERVAL_HOURS: '0' } });
    const young = `uploads/${newId()}/${newId()}_photo.jpg`;
    await mkdir(dirname(join(dataDir, young)), { recursive: true });
    await writeFile(join(dataDir, young), 'on its way');
    await writeFile(join(dataDir, 'tmp/young.part'), 'on its way');
    // The service has done its first clean-up.
    await expect.poll(async () => (await storedFiles(dataDir)).includes(orphans[0]!), { timeout: 8000 }).toBe(false);
    await expect.poll(async () => (await storedFiles(dataDir)).includes(orphans[1]!), { timeout: 8000 }).toBe(false);
    const old = await plant(`uploads/${newId()}/${newId()}_photo.jpg`);
    const { stdout, code } = await cleanup('--dry-run', '--list');
    expect({ code, stdout }).toEqual({ code: 0, stdout: `orphanFiles\t${old}\n` });
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
  });

  it('names rows that have lost their file', async () => {
    const { guestFiles } = await world();
    await rm(join(dataDir, guestFiles[0]!));
    const { stdout } = await cleanup('--dry-run', '--list');
    expect(stdout).toContain(`missingFiles\t${guestFiles[0]}\n`);
  });

  it('says where there is nothing to look at, and makes nothing', async () => {
    expect(await cleanup('--dry-run')).toMatchObject({
      code: 1,
      stderr: `There is no database at ${join(dataDir, 'heirloom.sqlite')}: nothing to clean up.\n`,
    });
    await expect(stat(dataDir)).rejects.toThrow('ENOENT');
    expect(await cleanup('--list')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--list goes with --dry-run'),
    });
  });
});
