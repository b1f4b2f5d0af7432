import { readFileSync, statSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Migration } from '@mikro-orm/migrations';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../src/db/migrations/index.ts';
import { migrate, openDatabase } from '../src/db/orm.ts';
import { readAll } from '../src/db/reader.ts';
import { keepWal } from '../src/db/wal.ts';
import { ENTITIES } from '../src/entities.ts';
import { createLog } from '../src/log.ts';
import { appForTest, startApp, UPLOAD } from './helpers/app.ts';
import { DidNotStart, startProcess } from './helpers/process.ts';
import { idle, jpeg, sql, until } from './helpers/service.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-database-'));
  path = join(folder, 'heirloom.sqlite');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A data folder that was used, and put down properly. */
async function used(): Promise<void> {
  const app = await startApp({ DATA_DIR: folder });
  await app.guest();
  await app.close();
}

/** Another program that has taken the database. */
function holder(): { begin(): void; end(): void } {
  const database = new Database(path, { timeout: 5000 });
  return {
    begin: () => void database.exec('begin exclusive'),
    end() {
      if (database.inTransaction) database.exec('rollback');
      database.close();
    },
  };
}

describe('C12: a start on a database that is not as it should be', () => {
  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['cut off in the middle', () => truncate(path, 50_000), /heirloom\.sqlite is damaged: restore a backup/],
    ['that is a text', () => writeFile(path, 'x'.repeat(9000)), /heirloom\.sqlite is no SQLite database/],
    [
      'of a newer version',
      async () => {
        const database = new Database(path);
        database.prepare("insert into mikro_orm_migrations (name) values ('0999-later')").run();
        database.close();
      },
      /belongs to a newer version of Heirloom \(it has 0999-later\): use that version/,
    ],
  ])('one %s is told in a sentence, and left alone', async (_name, spoil, sentence) => {
    await used();
    await spoil();
    const before = await readFile(path);
    await expect(startApp({ DATA_DIR: folder })).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringMatching(sentence),
    });
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  it('one that has lost its WAL is not opened, so that the WAL can be put back and nothing is lost', async () => {
    const service = await startProcess(folder);
    const ask = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const body = JSON.stringify({ query: 'mutation { startGuestSession { token } }' });
    expect((await fetch(`${service.url}/graphql`, { ...ask, body })).status).toBe(200);
    service.kill('SIGKILL');
    await service.ended;
    await rename(`${path}-wal`, join(folder, 'kept'));
    const refused = await startProcess(folder).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DidNotStart);
    expect(refused).toMatchObject({ code: 2, message: expect.stringContaining(`${path}-wal is missing`) });

    await rename(join(folder, 'kept'), `${path}-wal`);
    const app = await appForTest({ DATA_DIR: folder });
    expect(await sql(app, 'select id from session')).toHaveLength(1);
  });

  it('one that another program keeps is waited for, then told', async () => {
    await used();
    const other = holder();
    // An older database, to which the start has to write.
    const database = new Database(path);
    database.prepare('delete from mikro_orm_migrations').run();
    database.close();
    other.begin();
    const began = performance.now();
    await expect(startApp({ DATA_DIR: folder })).rejects.toThrow('heirloom.sqlite is held by another program');
    expect(performance.now() - began).toBeGreaterThan(4900);
    other.end();
  });
});

describe('C12: another program writes', () => {
  it('is waited for while everything else goes on, and nothing of SQLite is told', async () => {
    const app = await appForTest({ DATA_DIR: folder });
    const token = await app.guest();
    const other = holder();
    other.begin();
    const first = app.guest();
    // Neither the loop nor those who only read have to wait for long.
    let longest = 0;
    let last = performance.now();
    const ticking = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const waited = new Promise((resolve) => setTimeout(resolve, 1200));
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
    await waited;
    clearInterval(ticking);
    other.end();
    expect(await first).toMatch(/\./);
    expect(longest).toBeLessThan(500);
    expect((await app.ok('{ viewer { user { id } } }', {}, token)).viewer.user.id).toBeTruthy();
  });

  it('and nobody who reads waits for it: lists, files, the health, a session that has to be noted as used', async () => {
    const first = await startApp({ DATA_DIR: folder });
    const token = await first.guest();
    const { data } = await first.upload(UPLOAD, { file: { bytes: await jpeg(61) } }, {}, token);
    await idle(first);
    await sql(first, 'update session set last_accessed_at = last_accessed_at - 3600000');
    await first.close();
    const app = await appForTest({ DATA_DIR: folder });
    const url = data.uploadPhoto.photo.url.replace(first.url, app.url);
    const other = holder();
    other.begin();
    let waited = true;
    const write = app.guest().then(() => (waited = false));
    expect((await app.ok('{ viewer { history { totalCount } } }', {}, token)).viewer.history.totalCount).toBe(0);
    expect((await fetch(url)).status).toBe(200);
    expect((await fetch(`${app.url}/health/ready`)).status).toBe(200);
    expect(waited).toBe(true);
    other.end();
    await write;
    const query = 'select id from session where last_accessed_at < ?';
    await until(async () => (await sql(app, query, [Date.now() - 60_000])).length === 0);
  });

  it('what it wrote while a transaction of ours was under way does not end that', async () => {
    await using stack = new AsyncDisposableStack();
    const database = stack.adopt(await openDatabase({ path, entities: ENTITIES }), (open) => open.close());
    await database.fork().execute('create table t (n integer)');
    const other = new Database(path, { timeout: 0 });
    stack.defer(() => void other.close());
    await database.fork().transactional(async (em) => {
      await em.execute('select * from t');
      // Begun with the right to write: who comes now has to wait, and we never find that we are too late.
      expect(() => other.exec('insert into t values (1)')).toThrow('database is locked');
      await em.execute('insert into t values (2)');
    });
    other.exec('insert into t values (3)');
    expect(await database.fork().execute('select n from t order by n')).toEqual([{ n: 2 }, { n: 3 }]);
  });
});

describe('C13: what was acknowledged', () => {
  it('survives a power loss: every commit is on the disk before it is answered', async () => {
    const app = await appForTest({ DATA_DIR: folder });
    expect(await sql(app, 'pragma synchronous')).toEqual([{ synchronous: 2 }]);
    expect(await sql(app, 'pragma journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await sql(app, 'pragma wal_autocheckpoint')).toEqual([{ wal_autocheckpoint: 1000 }]);
  });

  it('is kept when somebody deletes the WAL under a running service', async () => {
    const lines: string[] = [];
    const log = createLog('error', { write: (line) => void lines.push(line) });
    await using stack = new AsyncDisposableStack();
    const database = stack.adopt(await openDatabase({ path, entities: ENTITIES }), (open) => open.close());
    stack.use(keepWal({ database, path, log, everyMs: 20 }));
    await database.fork().execute('create table t (n integer)');
    await database.fork().execute('insert into t values (1)');
    const read = () => readAll(database.fork(), 'select n from t');
    expect(await read()).toEqual([{ n: 1 }]);
    await rm(`${path}-wal`);
    await database.fork().execute('insert into t values (2)');
    await until(() => lines.some((line) => line.includes('somebody deleted a file of the database')));
    await database.fork().execute('insert into t values (3)');
    expect(await read()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    // As after a kill: only what lies in the folder counts.
    for (const end of ['', '-wal']) await copyFile(`${path}${end}`, join(folder, `copy${end}`));
    const copy = new Database(join(folder, 'copy'));
    expect(copy.prepare('select n from t').pluck().all()).toEqual([1, 2, 3]);
    expect(copy.pragma('integrity_check', { simple: true })).toBe('ok');
    copy.close();
  });

  it.skipIf(process.platform !== 'linux')(
    'is not left to another program: the lock of SQLite is held (/proc, Linux only)',
    async () => {
      await used();
      const app = await appForTest({ DATA_DIR: folder });
      await app.guest();
      const { ino } = statSync(path);
      // Without it the next program to close the database would take itself for the last, and delete the WAL.
      expect(readFileSync('/proc/locks', 'utf8')).toMatch(new RegExp(`READ +${process.pid} \\S+:${ino} `));
    },
  );
});

it('a copy is laid beside a database before it is migrated, private and whole', async () => {
  await using stack = new AsyncDisposableStack();
  await used();
  class Later extends Migration {
    override up(): void {
      this.addSql('create table later (n integer)');
    }
  }
  const database = stack.adopt(
    await openDatabase({ path, entities: ENTITIES, migrations: [...MIGRATIONS, { name: '0999-later', class: Later }] }),
    (open) => open.close(),
  );
  await migrate(database, path, createLog('silent'));
  const copy = `${path}.before-0999-later`;
  expect((await stat(copy)).mode & 0o777).toBe(0o600);
  const before = new Database(copy, { readonly: true });
  stack.defer(() => void before.close());
  expect(before.prepare('select count(*) from session').pluck().get()).toBe(1);
  expect(before.prepare("select count(*) from sqlite_master where name = 'later'").pluck().get()).toBe(0);
  // The copy has cost the database no lock.
  const locks = process.platform === 'linux' ? readFileSync('/proc/locks', 'utf8') : null;
  expect(locks?.includes(`:${statSync(path).ino} `)).not.toBe(false);
});
