import { chmod, copyFile, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM, type EntityManager, type EntitySchema } from '@mikro-orm/sqlite';
import type { Log } from '../log.ts';
import { MIGRATIONS } from './migrations/index.ts';

/**
 * WAL lets readers go on beside a writer; FULL makes an acknowledged commit survive a power loss, which our rate of
 * writes affords; the time-out covers a second process that holds the file for a moment (a backup, a shell).
 * `journal_size_limit` lets the WAL shrink again after a long reader (C13).
 */
const PRAGMAS = [
  'pragma journal_mode = wal',
  'pragma synchronous = full',
  'pragma busy_timeout = 5000',
  'pragma foreign_keys = on',
  'pragma journal_size_limit = 67108864',
  'pragma temp_store = memory',
];

export interface Database {
  /** A fresh unit of work for one request or job. */
  fork(): EntityManager;
  readonly orm: MikroORM;
  close(): Promise<void>;
}

/**
 * Opens the SQLite file, making it and its folder where needed.
 *
 * @param entities every entity of the application; the composition root knows them.
 * @param migrations in the order they run; default those of the application.
 */
export async function openDatabase(options: {
  path: string;
  entities: EntitySchema[];
  migrations?: MigrationObject[];
}): Promise<Database> {
  await mkdir(dirname(options.path), { recursive: true });
  // Password hashes are in it. The files of the WAL take the mode of the database.
  await using file = await open(options.path, 'a', 0o600);
  await file.chmod(0o600);
  const orm = await MikroORM.init({
    entities: options.entities,
    dbName: options.path,
    extensions: [Migrator],
    migrations: { migrationsList: options.migrations ?? MIGRATIONS, snapshot: false, silent: true },
    ignoreUndefinedInQuery: true,
  });
  for (const pragma of PRAGMAS) await orm.em.getConnection().execute(pragma);
  return {
    orm,
    fork: () => orm.em.fork(),
    close: () => orm.close(true),
  };
}

/** Brings the schema up to date; an existing database is first copied beside itself as `…before-<migration>`. */
export async function migrate(database: Database, path: string, log: Log): Promise<void> {
  const pending = await database.orm.migrator.getPending();
  const first = pending[0];
  if (first === undefined) return;
  const executed = await database.orm.migrator.getExecuted();
  if (executed.length > 0) {
    await database.orm.em.getConnection().execute('pragma wal_checkpoint(truncate)');
    const copy = `${path}.before-${first.name}`;
    await copyFile(path, copy);
    await chmod(copy, 0o600);
    log.info({ copy, bytes: (await stat(copy)).size }, 'copied the database before migrating it');
  }
  await database.orm.migrator.up();
  log.info({ migrations: pending.map((migration) => migration.name) }, 'migrated the database');
}
