import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntityManager } from '@mikro-orm/sqlite';
import { isId } from '../db/ids.ts';
import { selectRows } from '../db/rows.ts';
import type { Log } from '../log.ts';
import { PhotoEntity, RenditionEntity } from '../photos/entity.ts';
import { RestorationEntity } from '../restorations/entity.ts';
import type { Storage } from '../storage/storage.ts';

/** From the moment a file lies in the storage until its row is written it takes less than this. */
const GRACE_MS = 10 * 60 * 1000;
/** A temporary file that nobody has written to for so long belongs to nobody. */
const TEMPORARY_MS = 3600 * 1000;
const CHUNK = 200;

/** `<id of the photo or restoration>_<name>`, as uploads, results and their renditions are called. */
const NAME = /(?:^|\/)([0-9a-f-]{36})_[^/]*$/;

interface Named {
  readonly key: string;
  readonly id: string;
  readonly modifiedAt: Date;
}

export interface Swept {
  /** Files that no row names, deleted. */
  orphanFiles: number;
  temporaryFiles: number;
  /** Files that this service has not named; left alone. */
  foreignFiles: number;
}

/**
 * Reconciles the storage with the rows: a crash between the two leaves files without a row. Rows whose file is missing
 * are only logged, since nothing can bring it back.
 *
 * @param deps.folders where originals and results are kept.
 * @param deps.scratchDir the folder of files on their way.
 */
export function createSweep(deps: {
  storage: Storage;
  fork: () => EntityManager;
  log: Log;
  folders: readonly string[];
  scratchDir: string;
  now: () => number;
}) {
  const { storage, fork, log } = deps;
  // Nothing older than this process can still be under way: it holds the lock of the data folder.
  const startedAt = deps.now();
  const cutOff = (graceMs: number): number => Math.max(startedAt, deps.now() - graceMs);

  /**
   * Those of `files` that no row names and no job will: that of a photo writes the same files again. That of a restoration
   * does not: each try has a file of its own, and those of a process that has died are nobody's.
   * Each lookup goes by the id in the name, so it costs an index.
   */
  async function orphans(files: readonly Named[]): Promise<Named[]> {
    const ids = [...new Set(files.map(({ id }) => id))];
    const marks = ids.map(() => '?').join(', ');
    const rows = await fork().execute<{ known: string | null; worker: string | null }[]>(
      `select storage_key as known, null as worker from photo where id in (${marks})
        union all select storage_key, null from restoration where id in (${marks})
        union all select storage_key, null from rendition where owner_id in (${marks})
        union all select ref_id, kind from job where kind in ('photo', 'restoration') and ref_id in (${marks})`,
      [...ids, ...ids, ...ids, ...ids],
    );
    const known = new Map(rows.map((row) => [row.known, row.worker]));
    return files.filter(({ key, id, modifiedAt }) => {
      if (known.has(key)) return false;
      return !known.has(id) || (known.get(id) === 'restoration' && modifiedAt.getTime() < startedAt);
    });
  }

  async function removeOrphans(folder: string, signal: AbortSignal, swept: Swept): Promise<void> {
    let chunk: Named[] = [];
    async function settle(): Promise<void> {
      for (const { key } of await orphans(chunk)) {
        const now = await storage.stat(key);
        if (now === null || now.modifiedAt.getTime() >= cutOff(GRACE_MS)) continue;
        await storage.delete(key);
        log.warn({ key }, 'removed a file that belongs to nothing');
        swept.orphanFiles += 1;
      }
      chunk = [];
    }
    for await (const { key, modifiedAt } of storage.list(`${folder}/`)) {
      signal.throwIfAborted();
      if (modifiedAt.getTime() >= cutOff(GRACE_MS)) continue;
      const id = NAME.exec(key)?.[1];
      if (id === undefined || !isId(id)) swept.foreignFiles += 1;
      else if (chunk.push({ key, id, modifiedAt }) === CHUNK) await settle();
    }
    if (chunk.length > 0) await settle();
  }

  async function removeTemporary(signal: AbortSignal, swept: Swept): Promise<void> {
    for (const name of await readdir(deps.scratchDir)) {
      signal.throwIfAborted();
      const path = join(deps.scratchDir, name);
      const found = await stat(path).catch(() => null);
      if (found === null || !found.isFile() || found.mtimeMs >= cutOff(TEMPORARY_MS)) continue;
      // Not through the storage, which takes an empty folder away with its last file.
      await rm(path, { force: true });
      swept.temporaryFiles += 1;
    }
  }

  return {
    /**
     * Files first: what a crash has left goes, what is younger than its grace period stays.
     *
     * @throws the reason of `signal` when it aborts.
     */
    async files(signal: AbortSignal): Promise<Swept> {
      const swept: Swept = { orphanFiles: 0, temporaryFiles: 0, foreignFiles: 0 };
      await removeTemporary(signal, swept);
      for (const folder of deps.folders) await removeOrphans(folder, signal, swept);
      return swept;
    },

    /** Logs the rows whose file is not there; answers how many there are. */
    async missing(signal: AbortSignal): Promise<number> {
      let missing = 0;
      for (const entity of [PhotoEntity, RestorationEntity, RenditionEntity]) {
        for (let after = ''; ;) {
          signal.throwIfAborted();
          const rows = await selectRows<{ id: string; storageKey: string | null }>(
            fork(),
            entity as never,
            `where t.id > ? order by t.id limit ${CHUNK}`,
            [after],
          );
          for (const { id, storageKey } of rows) {
            if (storageKey === null || (await storage.stat(storageKey)) !== null) continue;
            log.error({ table: entity.meta.tableName, id, key: storageKey }, 'a file is missing');
            missing += 1;
          }
          const last = rows.at(-1);
          if (last === undefined || rows.length < CHUNK) break;
          after = last.id;
        }
      }
      return missing;
    },
  };
}

export type Sweep = ReturnType<typeof createSweep>;
