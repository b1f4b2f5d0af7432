import { appendFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { backUp } from '../src/backup/back-up.ts';
import { createDiskStorage } from '../src/storage/disk.ts';
import type { Storage } from '../src/storage/storage.ts';
import { clientOf, RESTORE, type TestClient } from './helpers/app.ts';
import { folderForTest, runCli, startCli } from './helpers/cli.ts';
import { startProcess, type ServiceProcess } from './helpers/process.ts';
import { jpeg, storedFiles, until } from './helpers/service.ts';

let cwd: string;
let dataDir: string;
let backup: string;
beforeEach(async () => {
  cwd = await folderForTest();
  dataDir = join(cwd, 'data');
  backup = join(cwd, 'backups', 'one');
});

const cli = (...args: string[]) => runCli(args, { cwd, dataDir });

const HISTORY = `{ viewer { history(first: 100) { edges { node {
  id status url renditions { name url } photo { id url renditions { name url } } } } } } }`;

async function submit(client: TestClient, token: string, seed: number): Promise<string> {
  const { data, errors } = await client.upload(RESTORE, { file: { bytes: await jpeg(seed, 300, 200) } }, {}, token);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.restorePhoto.restoration.id;
}

async function history(client: TestClient, token: string): Promise<any[]> {
  const { viewer } = await client.ok(HISTORY, {}, token);
  return viewer.history.edges.map(({ node }: any) => node);
}

/** Every file that a client can be given a link to, by what it is. */
async function download(nodes: any[]): Promise<Map<string, Buffer>> {
  const links = nodes.flatMap(({ id, url, renditions, photo }) => [
    [`result ${id}`, url],
    [`original ${photo.id}`, photo.url],
    ...renditions.map((rendition: any) => [`${rendition.name} of ${id}`, rendition.url]),
    ...photo.renditions.map((rendition: any) => [`${rendition.name} of ${photo.id}`, rendition.url]),
  ]);
  const files = await Promise.all(
    links.map(async ([what, url]): Promise<[string, Buffer]> => {
      const response = await fetch(url);
      if (response.status !== 200) throw new Error(`${what}: ${response.status}`);
      return [what, Buffer.from(await response.arrayBuffer())];
    }),
  );
  return new Map(files);
}

const settled = (nodes: any[]): boolean =>
  nodes.every(
    ({ status, renditions, photo }) => status === 'SUCCEEDED' && renditions.length >= 4 && photo.renditions.length >= 4,
  );

/** Every file that a row of the database in `folder` names, sorted. */
function namedFiles(folder: string): string[] {
  const database = new Database(join(folder, 'heirloom.sqlite'), { readonly: true });
  const keys = database
    .prepare(
      `select storage_key from photo union select storage_key from restoration where storage_key is not null
        union select storage_key from mask union select storage_key from rendition`,
    )
    .pluck()
    .all() as string[];
  database.close();
  return keys.toSorted();
}

async function service(): Promise<{ process: ServiceProcess; client: TestClient }> {
  const process = await startProcess(dataDir);
  return { process, client: clientOf(process.url) };
}

async function filled(photos: number): Promise<{ process: ServiceProcess; client: TestClient; token: string }> {
  const running = await service();
  const token = await running.client.guest();
  for (let seed = 1; seed <= photos; seed++) await submit(running.client, token, seed);
  await until(async () => settled(await history(running.client, token)));
  return { ...running, token };
}

describe('backup and restore-backup', () => {
  it('come back from a lost disk: sessions, links, results, and what was still waiting', async () => {
    const { process, client, token } = await filled(3);
    const before = await download(await history(client, token));
    // At work while the backup is made: photos come in and go.
    const done = new AbortController();
    const working = (async () => {
      for (let seed = 100; !done.signal.aborted; seed++) {
        const id = await submit(client, token, seed);
        if (seed % 2 === 0)
          await client.ok(
            `mutation ($id: ID!) { deleteRestoration(input: { id: $id }) { __typename } }`,
            { id },
            token,
          );
      }
    })();
    const made = await cli('backup', backup);
    done.abort();
    await working;
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).toMatch(/one: \d+ photos, \d+ restorations, \d+ files, .+ [kM]B\n$/);
    process.kill('SIGKILL');
    await process.ended;
    await promisify(execFile)('sha256sum', ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: backup });
    expect((await stat(backup)).mode & 0o077).toBe(0);

    await rm(dataDir, { recursive: true });
    const put = await cli('restore-backup', backup);
    expect(put).toMatchObject({ code: 0, stderr: '' });

    const again = await service();
    await until(async () => settled(await history(again.client, token)));
    const after = await download(await history(again.client, token));
    const differing = [...before].filter(([what, bytes]) => after.get(what)?.equals(bytes) !== true);
    expect(differing.map(([what]) => what)).toEqual([]);
    // Each file that a row names is there, and no other.
    expect((await storedFiles(dataDir)).toSorted()).toEqual(namedFiles(dataDir));
  });

  it('takes a database from before an upgrade as it is, and the next start brings it up to date', async () => {
    const { process, client, token } = await filled(1);
    const before = await download(await history(client, token));
    process.kill('SIGTERM');
    await process.ended;
    // As the version without diagnoses and masks has left it.
    const database = new Database(join(dataDir, 'heirloom.sqlite'));
    database.exec(`drop table mask; drop table diagnosis; delete from job;
      delete from mikro_orm_migrations where name >= '0003'`);
    database.close();
    expect(await cli('backup', backup)).toMatchObject({ code: 0, stderr: '' });
    await rm(dataDir, { recursive: true });
    expect(await cli('restore-backup', backup)).toMatchObject({ code: 0, stderr: '' });

    const again = await service();
    const after = await download(await history(again.client, token));
    expect([...after.keys()].toSorted()).toEqual([...before.keys()].toSorted());
    for (const [what, bytes] of before) expect(after.get(what)?.equals(bytes)).toBe(true);
    const diagnosed = `{ viewer { history { edges { node { mask { url } photo { diagnosis { summary } } } } } } }`;
    await until(async () => {
      const { viewer } = await again.client.ok(diagnosed, {}, token);
      return viewer.history.edges.every(({ node }: any) => node.mask === null && node.photo.diagnosis !== null);
    });
  }, 90_000);

  it('C14: a backup has exactly the files its rows name, also when one is deleted while they are copied', async () => {
    const { process } = await filled(3);
    process.kill('SIGTERM');
    await process.ended;
    const databasePath = join(dataDir, 'heirloom.sqlite');
    const live = new Database(databasePath);
    live.pragma('foreign_keys = on');
    const disk = createDiskStorage({ root: dataDir });
    const originals: string[] = [];
    const storage: Storage = {
      ...disk,
      async open(key) {
        const isOriginal = live.prepare('select 1 from photo where storage_key = ?').get(key) !== undefined;
        // The rows are copied and two originals opened: now the first of them goes, and the third before it is opened.
        if (isOriginal && originals.push(key) === 3) {
          for (const gone of [originals[0]!, key]) {
            live.prepare('delete from photo where storage_key = ?').run(gone);
            await disk.delete(gone);
          }
        }
        return disk.open(key);
      },
    };
    const manifest = await backUp(
      { storage, databasePath, secretPath: join(dataDir, 'secret'), heirloom: '0', now: Date.now },
      { target: backup, signal: new AbortController().signal, onProgress: () => {} },
    );
    live.close();
    expect(originals).toHaveLength(3);
    expect(manifest).toMatchObject({ photos: 1, missing: [], damaged: [] });
    const kept = (await readdir(backup, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && entry.parentPath !== backup)
      .map((entry) => join(entry.parentPath, entry.name).slice(backup.length + 1));
    expect(kept.toSorted()).toEqual(namedFiles(backup));
    expect(manifest.files).toBe(kept.length);
    await promisify(execFile)('sha256sum', ['--quiet', '--strict', '-c', 'SHA256SUMS'], { cwd: backup });
  });

  it('says which files were missing or damaged before, and keeps the rest', async () => {
    const { process } = await filled(2);
    const originals = (await storedFiles(dataDir)).filter((key) => /uploads\/[^/]+\/[^/]+_photo\.jpg$/.test(key));
    expect(originals).toHaveLength(2);
    await rm(join(dataDir, originals[0]!));
    await appendFile(join(dataDir, originals[1]!), 'rot');
    const made = await cli('backup', backup);
    process.kill('SIGTERM');
    expect(made.code).toBe(1);
    expect(made.stderr).toContain(`1 files missing in the storage:\n  ${originals[0]}\n`);
    expect(made.stderr).toContain(`1 files not as they were stored:\n  ${originals[1]}\n`);
    const manifest = JSON.parse(await readFile(join(backup, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ photos: 2, missing: [originals[0]], damaged: [originals[1]] });
  });

  it('a backup that was damaged since gives back everything else, and says what it could not', async () => {
    const { process, token } = await filled(2);
    expect((await cli('backup', backup)).code).toBe(0);
    process.kill('SIGKILL');
    await process.ended;
    const [first = '', second = ''] = (await storedFiles(dataDir)).filter((key) => key.startsWith('processed/'));
    await appendFile(join(backup, first), 'rot');
    await rm(join(backup, second));
    await rm(dataDir, { recursive: true });
    const put = await cli('restore-backup', backup);
    expect(put.code).toBe(1);
    expect(put.stderr).toContain('2 files of the backup are damaged and were left out:');
    expect(put.stderr).toContain(first);
    const again = await service();
    expect(await history(again.client, token)).toHaveLength(2);
    expect(await storedFiles(dataDir)).not.toContain(first);
  });

  it('need a folder that can be renamed, which the root of a disk cannot (mounts one, for root on Linux only)', async (t) => {
    const { process } = await filled(1);
    process.kill('SIGTERM');
    await process.ended;
    const disk = join(cwd, 'disk');
    await mkdir(disk);
    await promisify(execFile)('mount', ['-t', 'tmpfs', 'tmpfs', disk]).catch(() => t.skip());
    onTestFinished(async () => void (await promisify(execFile)('umount', [disk])));
    expect(await cli('backup', disk)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('name a folder in it'),
    });
    expect(await readdir(cwd)).not.toContain('disk.partial');
    expect((await cli('backup', join(disk, 'one'))).code).toBe(0);
  });

  it('overwrite nothing', async () => {
    const { process } = await filled(1);
    await mkdir(backup, { recursive: true });
    await writeFile(join(backup, 'mine.txt'), 'mine');
    expect(await cli('backup', backup)).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty') });
    expect(await readdir(join(cwd, 'backups'))).toEqual(['one']);

    const two = join(cwd, 'backups', 'two');
    expect((await cli('backup', two)).code).toBe(0);
    expect(await cli('restore-backup', two)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is in use by'),
    });
    process.kill('SIGTERM');
    await process.ended;
    const kept = await readFile(join(dataDir, 'heirloom.sqlite'));
    expect(await cli('restore-backup', two)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is there already'),
    });
    expect((await readFile(join(dataDir, 'heirloom.sqlite'))).equals(kept)).toBe(true);
  });

  it('leave nothing half done when they are stopped', async () => {
    const { process } = await filled(3);
    const stopped = startCli(['backup', backup], { cwd, dataDir });
    await until(async () => (await readdir(join(cwd, 'backups')).catch(() => [])).length > 0);
    stopped.child.kill('SIGTERM');
    const { code } = await stopped.finished;
    // It may have been quicker than the signal.
    expect([
      [143, []],
      [0, ['one']],
    ]).toContainEqual([code, await readdir(join(cwd, 'backups'))]);
    process.kill('SIGTERM');
  });
});

describe('restore-backup refuses', () => {
  const empty = (): Promise<unknown> => mkdir(backup, { recursive: true });

  it('what is no backup', async () => {
    await empty();
    expect(await cli('restore-backup', backup)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is no backup of Heirloom'),
    });
    expect(await cli('restore-backup', join(cwd, 'nowhere'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is no backup of Heirloom'),
    });
  });

  it('one of a newer version, one with a damaged database, and names that lead elsewhere', async () => {
    const { process } = await filled(1);
    expect((await cli('backup', backup)).code).toBe(0);
    process.kill('SIGTERM');
    await process.ended;
    await rm(dataDir, { recursive: true });
    const fresh = async (name: string): Promise<string> => {
      const path = join(cwd, 'backups', name);
      await cp(backup, path, { recursive: true });
      return path;
    };

    const newer = await fresh('newer');
    const database = new Database(join(newer, 'heirloom.sqlite'));
    database.exec(`insert into mikro_orm_migrations (name) values ('9999-the-future')`);
    database.close();
    expect(await cli('restore-backup', newer)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('newer Heirloom'),
    });

    const damaged = await fresh('damaged');
    const path = join(damaged, 'heirloom.sqlite');
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0xff, 4096, 4096 * 8));
    expect(await cli('restore-backup', damaged)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is damaged|is no database/),
    });

    const hostile = await fresh('hostile');
    await writeFile(join(hostile, 'SHA256SUMS'), `${'0'.repeat(64)}  uploads/../../escaped\n`);
    await writeFile(join(hostile, 'escaped'), 'x');
    expect((await cli('restore-backup', hostile)).code).toBe(1);
    expect(await readdir(cwd)).not.toContain('escaped');

    const shortened = await fresh('shortened');
    const [, ...rest] = (await readFile(join(shortened, 'SHA256SUMS'), 'utf8')).split('\n');
    await writeFile(join(shortened, 'SHA256SUMS'), rest.join('\n'));
    expect(await cli('restore-backup', shortened)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is damaged: it names'),
    });

    // Nothing of all this has made a data folder that a service would take for its own.
    expect((await readdir(dataDir)).filter((name) => name.endsWith('.sqlite'))).toEqual(['lock.sqlite']);
    expect((await cli('restore-backup', backup)).code).toBe(0);
  });
});
