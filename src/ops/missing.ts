import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/sqlite';
import { readAll } from '../db/reader.ts';
import type { Log } from '../log.ts';
import { PhotoEntity, RenditionEntity } from '../photos/entity.ts';
import { MaskEntity, RestorationEntity } from '../restorations/entity.ts';
import type { Storage } from '../storage/storage.ts';

const CHUNK = 200;
/** A disk that is not mounted must not fill the log. */
const MOST_LOGGED = 100;

const TABLES = [PhotoEntity, RestorationEntity, MaskEntity, RenditionEntity] as const;

interface Row {
  readonly id: string;
  readonly key: string | null;
  /** Of a rendition. */
  readonly ownerId: string | null;
}

export interface MissingFile {
  readonly table: string;
  readonly id: string;
  readonly key: string;
  /** Of a rendition: what it was made of; null when that is gone, too. */
  readonly sourceKey?: string | null;
}

/** Looks for rows whose file is not there, which nothing can bring back but a backup. */
export function createMissing(deps: { storage: Storage; fork: () => EntityManager; log: Log }) {
  const { storage, fork, log } = deps;

  async function sourceOf(em: EntityManager, ownerId: string): Promise<string | null> {
    const [row] = await readAll<{ key: string | null }>(
      em,
      'select storage_key as key from photo where id = ? union all select storage_key from restoration where id = ?',
      [ownerId, ownerId],
    );
    return row?.key ?? null;
  }

  /** Walks the tables by key, batch by batch. Changes nothing. @throws the reason of `signal` when it aborts. */
  async function* find(signal: AbortSignal, { gently = false } = {}): AsyncGenerator<MissingFile> {
    // One for all, and three columns: a million rows must not leave a garbage of hundreds of megabytes.
    const em = fork();
    for (const entity of TABLES) {
      const table = entity.meta.tableName;
      const owner = entity === RenditionEntity ? 'owner_id' : 'null';
      const select = `select id, storage_key as key, ${owner} as ownerId from ${table}`;
      for (let after = '', more = true; more;) {
        const began = performance.now();
        const rows = await readAll<Row>(em, `${select} where id > ? order by id limit ${CHUNK}`, [after]);
        for (const { id, key, ownerId } of rows) {
          signal.throwIfAborted();
          if (key === null || (await storage.stat(key)) !== null) continue;
          // Deleted since the batch was read: rows go first, and then their files.
          if ((await readAll(em, `${select} where id = ?`, [id])).length === 0) continue;
          yield { table, id, key, ...(ownerId === null ? {} : { sourceKey: await sourceOf(em, ownerId) }) };
        }
        after = rows.at(-1)?.id ?? '';
        more = rows.length === CHUNK;
        if (gently) await sleep(performance.now() - began, undefined, { signal });
      }
    }
  }

  return {
    find,

    /**
     * Logs each, and lets go of a rendition that can be made again: the next who asks for it makes it.
     *
     * @returns how many photos and results have lost their file.
     */
    async settle(signal: AbortSignal): Promise<number> {
      let lost = 0;
      let logged = 0;
      for await (const { table, id, key, sourceKey } of find(signal, { gently: true })) {
        const again = sourceKey !== undefined;
        if ((logged += 1) <= MOST_LOGGED) log.error({ table, id, key }, 'a file is missing');
        if (!again) lost += 1;
        // Where the source is missing as well, it may be the disk that is.
        else if (sourceKey === null || (await storage.stat(sourceKey)) !== null) {
          await fork().nativeDelete(RenditionEntity, { id });
        }
      }
      if (logged > MOST_LOGGED) log.error({ missing: logged }, 'more files are missing');
      return lost;
    },
  };
}

export type Missing = ReturnType<typeof createMissing>;
