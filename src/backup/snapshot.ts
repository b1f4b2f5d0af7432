import { existsSync } from 'node:fs';
import { chmod, open } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { BackupError } from './format.ts';

/** A file that a row names, with the hash the row has of it. */
export interface NamedFile {
  readonly key: string;
  readonly sha256: string | null;
}

/** Tables whose rows name a file, and what they have of its hash. */
const HASHES = { photo: 'sha256', restoration: 'sha256', mask: 'sha256', rendition: 'null' } as const;

/**
 * Every file that a row names, with its hash and length. Only of tables that are there: a database from before an upgrade is backed
 * up, and one of an older backup put back, as it is.
 */
function namedIn(database: Database.Database, schema: 'main' | 'older' = 'main'): string {
  const there = new Set(
    database.prepare(`select name from ${schema}.sqlite_master where type = 'table'`).pluck().all(),
  );
  return Object.entries(HASHES)
    .filter(([table]) => there.has(table))
    .map(
      ([table, hash]) =>
        `select storage_key as key, ${hash} as sha256, bytes from ${schema}.${table} where storage_key is not null`,
    )
    .join(' union all ');
}

/** Opens a database for reading only, also one that a service writes to. @throws BackupError when there is none. */
function openToRead(path: string): Database.Database {
  if (!existsSync(path)) throw new BackupError(`There is no database at ${path}.`);
  return new Database(path, { readonly: true, fileMustExist: true, timeout: 10_000 });
}

/**
 * Copies a database as it is at one moment, while others write to it: `VACUUM INTO` reads in one transaction, which in
 * WAL mode keeps nobody waiting (https://sqlite.org/lang_vacuum.html). The backup API of SQLite would begin anew with
 * each write of another process.
 */
export async function snapshotDatabase(path: string, to: string): Promise<void> {
  const database = openToRead(path);
  try {
    database.prepare('vacuum into ?').run(to);
  } finally {
    database.close();
  }
  await chmod(to, 0o600);
  const file = await open(to, 'r+');
  await file.sync().finally(() => file.close());
}

export interface Contents extends Disposable {
  readonly photos: number;
  readonly restorations: number;
  /** Bytes of all stored files, by their rows. */
  readonly bytes: number;
  readonly migrations: readonly string[];
  /** Every file that a row names. */
  files(): Iterable<NamedFile>;
  /** Those files that rows of `older` name and rows of this one do not. */
  goneSince(older: string): string[];
  names(key: string): boolean;
}

/** @throws BackupError when the file is no database of Heirloom, or a damaged one. */
export function readContents(path: string, options: { check: boolean }): Contents {
  const database = openToRead(path);
  try {
    if (options.check) {
      const problems = database.pragma('integrity_check(1)', { simple: true });
      if (problems !== 'ok') throw new BackupError(`${path} is damaged: ${String(problems)}.`);
    }
    const count = (table: string): number => database.prepare(`select count(*) from ${table}`).pluck().get() as number;
    const photos = count('photo');
    const restorations = count('restoration');
    const named = namedIn(database);
    const bytes = database.prepare(`select total(bytes) from (${named})`).pluck().get() as number;
    const migrations = database.prepare('select name from mikro_orm_migrations order by id').pluck().all() as string[];
    return {
      photos,
      restorations,
      bytes,
      migrations,
      files: () => database.prepare(`select key, sha256 from (${named})`).iterate() as IterableIterator<NamedFile>,
      goneSince(older) {
        database.prepare('attach ? as older').run(older);
        const before = namedIn(database, 'older');
        const gone = database.prepare(`select key from (${before}) except select key from (${named})`).pluck().all();
        database.exec('detach older');
        return gone as string[];
      },
      names: (key) => database.prepare(`select 1 from (${named}) where key = ? limit 1`).get(key) !== undefined,
      [Symbol.dispose]: () => void database.close(),
    };
  } catch (error) {
    database.close();
    if (error instanceof BackupError) throw error;
    throw new BackupError(`${path} is no database of Heirloom.`, error);
  }
}
