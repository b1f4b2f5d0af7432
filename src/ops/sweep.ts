import { opendir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/sqlite';
import { isId } from '../db/ids.ts';
import { readAll } from '../db/reader.ts';
import type { Log } from '../log.ts';
import type { Storage } from '../storage/storage.ts';
import type { SlowClock } from './slow-clock.ts';

/** From the moment a file lies in the storage until its row is written it takes less than this. */
const GRACE_MS = 10 * 60 * 1000;
/** A temporary file that nobody has written to for so long belongs to nobody. */
const TEMPORARY_MS = 3600 * 1000;
/** The clock of files lags behind by up to a tick of the kernel, 1 to 10 ms; no process starts in less than this. */
const TICK_MS = 20;
/** A time further ahead than this comes of a clock that was wrong, and says nothing about the age of a file. */
const FUTURE_MS = 48 * 3600 * 1000;
const CHUNK = 200;
/** So many files without a row are held for what a crash has left, whatever else there is. */
const FEW = 20;
/** And so many are remembered while more of them have been seen than of those that have a row. */
const MOST_HELD = 1000;

/** `<id of the photo or restoration>_<name>`, as uploads, results and their renditions are called. */
const NAME = /(?:^|\/)([0-9a-f-]{36})_[^/]*$/;
/** How ours are called in the folder of temporary files, which others may use as well: with STORAGE_PATH=/var it is /var/tmp. */
const TEMPORARY = /^(?:health-)?[0-9a-f-]{36}(?:\.webp)?$|\.part$/;

export interface Found {
  /** Without a row, forgotten in the folder of temporary files, named by somebody else, or as it should be. */
  readonly kind: 'orphanFiles' | 'temporaryFiles' | 'foreignFiles' | 'named';
  /** The key in the storage, or the name of a temporary file. */
  readonly name: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

interface Named {
  readonly key: string;
  readonly id: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface Swept {
  /** Files that no row names, deleted. */
  orphanFiles: number;
  temporaryFiles: number;
  /** Files that this service has not named; left alone. */
  foreignFiles: number;
}

/**
 * Reconciles the files with the rows: a crash between the two leaves files without a row. A folder is never held in
 * memory, only a batch of it.
 *
 * @param deps.folders where originals and results are kept.
 * @param deps.scratchDir the folder of files on their way.
 * @param deps.leftBehind names in it from before this process, which nobody can be working on.
 * @param deps.clock made when the process began.
 */
export function createSweep(deps: {
  storage: Storage;
  fork: () => EntityManager;
  log: Log;
  folders: readonly string[];
  scratchDir: string;
  leftBehind: ReadonlySet<string>;
  clock: SlowClock;
}) {
  const { storage, fork, log, clock } = deps;

  /** From before this process, which holds the lock of the data folder: nobody can be at work on it any more. */
  const isOfTheDead = (modifiedMs: number): boolean => !clock.wentBack() && modifiedMs < clock.startedAt - TICK_MS;

  function isYoung(modifiedMs: number, graceMs: number): boolean {
    if (isOfTheDead(modifiedMs) || modifiedMs > clock.now() + FUTURE_MS) return false;
    return modifiedMs >= clock.now() - graceMs;
  }

  /**
   * The keys of those that no row names and no job will: that of a photo writes the same files again. That of a
   * restoration does not: each try has a file of its own, and those of a process that has died are nobody's.
   * Each lookup goes by the id in the name, so it costs an index.
   */
  async function orphansAmong(files: readonly Named[]): Promise<Set<string>> {
    const ids = [...new Set(files.map(({ id }) => id))];
    const marks = ids.map(() => '?').join(', ');
    const rows = await readAll<{ known: string | null; worker: string | null }>(
      fork(),
      `select storage_key as known, null as worker from photo where id in (${marks})
        union all select storage_key, null from restoration where id in (${marks})
        union all select storage_key, null from rendition where owner_id in (${marks})
        union all select storage_key, null from mask where restoration_id in (${marks})
        union all select ref_id, kind from job where kind in ('photo', 'restoration') and ref_id in (${marks})`,
      [...ids, ...ids, ...ids, ...ids, ...ids],
    );
    const known = new Map(rows.map((row) => [row.known, row.worker]));
    const orphans = files.filter(({ key, id, modifiedMs }) => {
      if (known.has(key)) return false;
      return !known.has(id) || (known.get(id) === 'restoration' && isOfTheDead(modifiedMs));
    });
    return new Set(orphans.map(({ key }) => key));
  }

  async function* inScratch(signal: AbortSignal): AsyncGenerator<Found> {
    const entries = await opendir(deps.scratchDir).catch(() => null);
    for await (const { name } of entries ?? []) {
      signal.throwIfAborted();
      if (!TEMPORARY.test(name)) continue;
      const found = await stat(join(deps.scratchDir, name)).catch(() => null);
      if (found === null || !found.isFile()) continue;
      if (!deps.leftBehind.has(name) && isYoung(found.mtimeMs, TEMPORARY_MS)) continue;
      yield { kind: 'temporaryFiles', name, bytes: found.size, modifiedMs: found.mtimeMs };
    }
  }

  async function* inFolder(folder: string, signal: AbortSignal, gently: boolean): AsyncGenerator<Found> {
    let began = performance.now();
    let chunk: Named[] = [];
    async function* judged(): AsyncGenerator<Found> {
      const orphans = await orphansAmong(chunk);
      for (const { key, bytes, modifiedMs } of chunk) {
        yield { kind: orphans.has(key) ? 'orphanFiles' : 'named', name: key, bytes, modifiedMs };
      }
      chunk = [];
      // At most half of the time, so that those who are served notice nothing.
      if (gently) await sleep(performance.now() - began, undefined, { signal });
      began = performance.now();
    }
    for await (const { key, modifiedAt, bytes } of storage.list(`${folder}/`)) {
      signal.throwIfAborted();
      const id = NAME.exec(key)?.[1];
      const modifiedMs = modifiedAt.getTime();
      if (isYoung(modifiedMs, GRACE_MS)) continue;
      if (id === undefined || !isId(id)) yield { kind: 'foreignFiles', name: key, bytes, modifiedMs };
      else if (chunk.push({ key, id, bytes, modifiedMs }) === CHUNK) yield* judged();
    }
    if (chunk.length > 0) yield* judged();
  }

  /** Every file that is old enough to be judged. Changes nothing. */
  async function* find(signal: AbortSignal, { gently = false } = {}): AsyncGenerator<Found> {
    yield* inScratch(signal);
    for (const folder of deps.folders) yield* inFolder(folder, signal, gently);
  }

  /** When the database was made, in ms since 1970. What is older came in by another one, which may come back. */
  async function databaseMadeAt(): Promise<number> {
    const [row] = await fork().execute<{ at: number | null }[]>(
      'select min(executed_at) as at from mikro_orm_migrations',
    );
    return row?.at ?? 0;
  }

  async function removeOrphan(key: string): Promise<boolean> {
    const now = await storage.stat(key);
    if (now === null || isYoung(now.modifiedAt.getTime(), GRACE_MS)) return false;
    await storage.delete(key);
    log.warn({ key }, 'removed a file that belongs to nothing');
    return true;
  }

  return {
    find,

    /**
     * Removes what a crash has left, and leaves what is younger than its grace period.
     *
     * @param options.careful in the background: take pauses, and leave all files without a row that are older than the
     *   database, or where there are more of them than of others. Then it is the database that is wrong, such as a new
     *   one or an old one; default false.
     * @throws the reason of `signal` when it aborts.
     */
    async files(signal: AbortSignal, { careful = false } = {}): Promise<Swept> {
      const swept: Swept = { orphanFiles: 0, temporaryFiles: 0, foreignFiles: 0 };
      let held: string[] = [];
      let orphans = 0;
      let named = 0;
      let older = 0;
      const madeAt = careful ? await databaseMadeAt() : 0;
      async function settle(): Promise<void> {
        for (const key of held) if (await removeOrphan(key)) swept.orphanFiles += 1;
        held = [];
      }
      for await (const { kind, name, modifiedMs } of find(signal, { gently: careful })) {
        if (kind === 'named') named += 1;
        if (kind === 'foreignFiles') swept.foreignFiles += 1;
        if (kind === 'temporaryFiles') {
          // Not through the storage, which takes an empty folder away with its last file.
          await rm(join(deps.scratchDir, name), { force: true });
          swept.temporaryFiles += 1;
        }
        if (kind === 'orphanFiles' && modifiedMs < madeAt) older += 1;
        else if (kind === 'orphanFiles') {
          orphans += 1;
          held.push(name);
          const doubtful = careful && orphans > FEW && orphans > named;
          if (!doubtful && held.length >= CHUNK) await settle();
          if (held.length > MOST_HELD) break;
        }
      }
      if (older > 0) {
        log.error(
          { older },
          'files without a row are older than the database and stay: is this the right database? The command cleanup removes them',
        );
      }
      if (careful && orphans > FEW && orphans > named) {
        log.error(
          { orphans, named },
          'most files belong to no row, so none is removed: is this the right database? The command cleanup removes them',
        );
      } else {
        await settle();
      }
      return swept;
    },
  };
}

export type Sweep = ReturnType<typeof createSweep>;
