import { existsSync } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM, type EntityManager, type EntitySchema } from '@mikro-orm/sqlite';
import { ConfigError } from '../config.ts';
import type { Log } from '../log.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { waitWhileBusy } from './patience.ts';
import { closeReader } from './reader.ts';

/**
 * WAL lets readers go on beside a writer; FULL makes an acknowledged commit survive a power loss, which our rate of
 * writes affords. A second process that holds the file for a moment (a backup, a shell) is waited for in `patience.ts`.
 * `journal_size_limit` lets the WAL shrink again after a long reader (C13).
 */
const PRAGMAS = [
  'pragma busy_timeout = 0',
  'pragma journal_mode = wal',
  'pragma synchronous = full',
  'pragma foreign_keys = on',
  'pragma journal_size_limit = 67108864',
  'pragma temp_store = memory',
];

export interface Database {
  /** A fresh unit of work for one request or job. */
  fork(): EntityManager;
  readonly orm: MikroORM;
  /** Whether it is as this version needs it; changes nothing. */
  isCurrent(): Promise<boolean>;
  close(): Promise<void>;
}

/** Makes the file, readable by this user only. Password hashes are in it; the files of the WAL take its mode. */
async function makeFile(path: string): Promise<void> {
  await using file = await open(path, 'a', 0o600);
  await file.chmod(0o600);
}

/** SQLite takes the one away with the other. */
function checkWal(path: string): void {
  if (!existsSync(`${path}-shm`) || existsSync(`${path}-wal`)) return;
  throw new ConfigError([
    `${path}-wal is missing, and what was written last was in it: put it back, or delete ${path}-shm to go on without`,
  ]);
}

/** The migrations that a database has been through; asks without making the table of them, as the migrator would. */
async function migrationsDone(orm: MikroORM): Promise<string[]> {
  const { tableName = '' } = orm.config.get('migrations');
  const connection = orm.em.getConnection();
  const tables = await connection.execute('select 1 from sqlite_master where name = ?', [tableName]);
  if (tables.length === 0) return [];
  return (await connection.execute<{ name: string }[]>(`select name from ${tableName}`)).map(({ name }) => name);
}

async function checkVersion(orm: MikroORM, path: string, known: readonly MigrationObject[]): Promise<void> {
  const names = known.map(({ name }) => name);
  const unknown = (await migrationsDone(orm)).filter((name) => !names.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError([
    `${path} belongs to a newer version of Heirloom (it has ${unknown.join(', ')}): use that version, or restore a backup from before`,
  ]);
}

/**
 * Opens the SQLite file, making it and its folder where needed.
 *
 * @param entities every entity of the application; the composition root knows them.
 * @param migrations in the order they run; default those of the application.
 * @throws ConfigError for a database of a newer version, or one that has lost its WAL.
 */
export async function openDatabase(options: {
  path: string;
  entities: EntitySchema[];
  migrations?: MigrationObject[];
}): Promise<Database> {
  const { path, migrations = MIGRATIONS } = options;
  await mkdir(dirname(path), { recursive: true });
  checkWal(path);
  // Closed again before SQLite opens it: to close a file drops every POSIX lock of the process on it, SQLite's too.
  await makeFile(path);
  const orm = await MikroORM.init({
    entities: options.entities,
    dbName: path,
    extensions: [Migrator],
    migrations: { migrationsList: migrations, snapshot: false, silent: true },
    ignoreUndefinedInQuery: true,
    onCreateConnection: async (connection) => waitWhileBusy(connection as Parameters<typeof waitWhileBusy>[0]),
  });
  try {
    for (const pragma of PRAGMAS) await orm.em.getConnection().execute(pragma);
    await checkVersion(orm, path, migrations);
  } catch (error) {
    await orm.close(true);
    throw error;
  }
  return {
    orm,
    fork: () => orm.em.fork(),
    isCurrent: async () => (await migrationsDone(orm)).length === migrations.length,
    close() {
      closeReader(orm.em);
      return orm.close(true);
    },
  };
}

/** Brings the schema up to date; an existing database is first copied beside itself as `…before-<migration>`. */
export async function migrate(database: Database, path: string, log: Log): Promise<void> {
  const pending = await database.orm.migrator.getPending();
  const first = pending[0];
  if (first === undefined) return;
  const executed = await database.orm.migrator.getExecuted();
  if (executed.length > 0) {
    const copy = `${path}.before-${first.name}`;
    await rm(copy, { force: true });
    await makeFile(copy);
    // By SQLite itself, since a copy of the file would drop its locks.
    await database.orm.em.getConnection().execute('vacuum into ?', [copy]);
    log.info({ copy, bytes: (await stat(copy)).size }, 'copied the database before migrating it');
  }
  await database.orm.migrator.up();
  if (executed.length === 0) {
    // Of itself it notes whole seconds; the sweep tells by it which files are older than the database.
    await database.orm.em.getConnection().execute('update mikro_orm_migrations set executed_at = ?', [Date.now()]);
  }
  log.info({ migrations: pending.map((migration) => migration.name) }, 'migrated the database');
}
