import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { ConfigError } from '../config.ts';

/** The service that works on a data folder, as it told others. */
export interface ServiceOwner {
  /** Where it answers, e.g. `http://127.0.0.1:4000`. */
  readonly url: string;
  readonly pid: number;
}

export interface HeldDataDirLock {
  readonly held: true;
  /** Tells other processes where this one can be reached; readable by the same user only. */
  announce(owner: ServiceOwner): Promise<void>;
  /** Gives the folder back; a second call does nothing. */
  release(): Promise<void>;
}

export type DataDirLock =
  | HeldDataDirLock
  | {
      readonly held: false;
      /** Absent while the holder has not announced itself, e.g. because it is still starting or is a command. */
      readonly owner?: ServiceOwner;
    };

/** Somebody else works on a data folder. */
export class DataDirInUse extends ConfigError {
  constructor(dataDir: string, owner: ServiceOwner | undefined) {
    const by = owner === undefined ? 'another process' : `the service at ${owner.url} (process ${owner.pid})`;
    super([`DATA_DIR ${dataDir} is in use by ${by}: stop it first, or set another DATA_DIR`]);
    this.name = 'DataDirInUse';
  }
}

/** Node's recursive mkdir never ends where a folder exists that takes no others, such as /proc. */
async function makeDataDir(path: string): Promise<void> {
  if (!existsSync(dirname(path))) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return;
  }
  await mkdir(path, { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error;
  });
}

function tryLock(path: string): Database.Database | null {
  const database = new Database(path, { timeout: 0 });
  try {
    database.exec('begin exclusive');
    return database;
  } catch (error) {
    database.close();
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return null;
    throw error;
  }
}

async function readOwner(path: string): Promise<ServiceOwner | undefined> {
  try {
    const { url, pid } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    return typeof url === 'string' && typeof pid === 'number' ? { url, pid } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes a data folder for this process, so that no two reclaim each other's jobs. Answers at once, held or not.
 *
 * The lock is an open exclusive transaction on `lock.sqlite`: the operating system lets go of it however the process
 * ends, `kill -9` included, so nothing stale can stay behind. Keep the answer for as long as the folder is needed:
 * the lock goes with it. Nothing else may open `lock.sqlite` in this process, since closing a file drops its POSIX locks.
 *
 * @param dataDir made where it is missing (mode 0700).
 * @throws the error of the file system when the folder cannot be written to.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  await makeDataDir(dataDir);
  const announcement = join(dataDir, 'service.json');
  const database = tryLock(join(dataDir, 'lock.sqlite'));
  if (database === null) {
    const owner = await readOwner(announcement);
    return owner === undefined ? { held: false } : { held: false, owner };
  }
  // What a process that was killed has announced is no longer true.
  await rm(announcement, { force: true });
  return {
    held: true,
    async announce(owner) {
      const text = JSON.stringify({ url: owner.url, pid: owner.pid });
      await writeFile(`${announcement}.new`, `${text}\n`, { mode: 0o600 });
      await rename(`${announcement}.new`, announcement);
    },
    async release() {
      if (!database.open) return;
      await rm(announcement, { force: true });
      database.close();
    },
  };
}

/** As `lockDataDir`, for who cannot go on without. @throws DataDirInUse */
export async function takeDataDir(dataDir: string): Promise<HeldDataDirLock> {
  const lock = await lockDataDir(dataDir);
  if (!lock.held) throw new DataDirInUse(dataDir, lock.owner);
  return lock;
}
