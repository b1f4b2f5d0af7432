import { rm } from 'node:fs/promises';
import type { EntityManager } from '@mikro-orm/sqlite';
import PQueue from 'p-queue';
import type { ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { chunksOf, selectRows } from '../db/rows.ts';
import { decodingBytes } from '../imaging/decoding-bytes.ts';
import { inspectHeader } from '../imaging/inspect.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import { makeRenditions, RENDITIONS, type RenditionName } from '../imaging/renditions.ts';
import type { Gate } from '../limits/gate.ts';
import type { Storage } from '../storage/storage.ts';
import { RenditionEntity, type Rendition } from './entity.ts';

/** Made after every upload and every result; ORIGINAL waits until somebody asks for it. */
export const EAGER_RENDITIONS: readonly RenditionName[] = ['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE'];

/** Owners whose renditions are made on request at once, so that many requests leave room for uploads. */
const MAKING_AT_ONCE = 2;

/** What renditions are made of. */
interface RenditionSource {
  /** Id of the photo or restoration. */
  readonly ownerId: string;
  /** Where its file lies in the storage. */
  readonly sourceKey: string;
  /** As inspection named it. */
  readonly format: string;
}

/** Derived files, kept beside the file they are made from. */
export function createRenditions(deps: {
  storage: Storage;
  /** An existing folder for files on their way into the storage. */
  scratchDir: string;
  decoding: Gate;
  /** WebP quality, 1 to 100. */
  quality: number;
  /** Wide enough for results, which may be larger than uploads. */
  limits: ImageLimits;
  now: () => number;
}) {
  const { storage } = deps;
  const making = new PQueue({ concurrency: MAKING_AT_ONCE });

  /** The last one that makes renditions of an owner. */
  const makers = new Map<string, Promise<unknown>>();

  const keyOf = (sourceKey: string, name: RenditionName): string =>
    `${sourceKey.replace(/\.[A-Za-z0-9]+$/, '')}.${name.toLowerCase()}.webp`;

  /** One after the other for the same owner: their files have the same keys. */
  async function inTurn<T>(ownerId: string, work: () => Promise<T>): Promise<T> {
    const mine = (makers.get(ownerId) ?? Promise.resolve()).then(work, work);
    makers.set(ownerId, mine);
    try {
      return await mine;
    } finally {
      if (makers.get(ownerId) === mine) makers.delete(ownerId);
    }
  }

  const renditions = {
    /**
     * Makes renditions of a new file and stores them. The rows are the caller's to insert, in the transaction that
     * makes them visible; where that fails, `drop` them again. Of a file that others know, use `makeMissing`.
     */
    async make(owner: RenditionSource, names: readonly RenditionName[], signal: AbortSignal): Promise<Rendition[]> {
      await using source = await storage.local(owner.sourceKey);
      if (source === null) return [];
      const { quality, limits } = deps;
      const header = await inspectHeader(source.path, limits, { signal });
      const made = await deps.decoding.run(decodingBytes(header), signal, () =>
        makeRenditions(source.path, owner.format, names, deps.scratchDir, { quality, limits, signal }),
      );
      const rows: Rendition[] = [];
      try {
        for (const { name, width, height, bytes, path } of made) {
          const storageKey = keyOf(owner.sourceKey, name);
          await storage.put(storageKey, path);
          const createdAt = new Date(deps.now());
          rows.push({ id: newId(), createdAt, ownerId: owner.ownerId, name, width, height, bytes, storageKey });
        }
        return rows;
      } catch (error) {
        await Promise.all(rows.map((row) => storage.delete(row.storageKey)));
        throw error;
      } finally {
        await Promise.all(made.map(({ path }) => rm(path, { force: true })));
      }
    },

    /**
     * Makes and stores those of the renditions that have no row, so that a maker that fails never takes away a file that a
     * row names; of makers of the same owner one waits for the other.
     *
     * @param write writes the rows; false = their owner has gone, and the files go, too.
     */
    makeMissing(
      ctx: ServiceContext,
      owner: RenditionSource,
      names: readonly RenditionName[],
      write: (rows: readonly Rendition[]) => Promise<boolean>,
    ): Promise<void> {
      return inTurn(owner.ownerId, async () => {
        // Looked at here: work that has begun cannot be stopped, and keeps its place until it ends.
        ctx.signal.throwIfAborted();
        const there = new Set((await renditions.of(ctx.em, [owner.ownerId])).map((row) => row.name));
        const missing = names.filter((name) => !there.has(name));
        const rows = missing.length === 0 ? [] : await renditions.make(owner, missing, ctx.signal);
        let written = false;
        try {
          written = await write(rows);
        } finally {
          if (!written) await renditions.drop(rows);
        }
      });
    },

    /**
     * One rendition, made and written now where it is missing; null when its source has gone.
     *
     * @param isThere whether the owner still exists, asked in the transaction that writes the row.
     */
    async findOrMake(
      ctx: ServiceContext,
      owner: RenditionSource,
      name: RenditionName,
      isThere: (em: EntityManager) => Promise<boolean>,
    ): Promise<Rendition | null> {
      const there = async () => (await renditions.of(ctx.em, [owner.ownerId])).find((row) => row.name === name) ?? null;
      const found = await there();
      if (found !== null) return found;
      const write = (rows: readonly Rendition[]): Promise<boolean> =>
        ctx.em.transactional(async (em) => {
          if (!(await isThere(em))) return false;
          await renditions.insert(em, rows);
          return true;
        });
      return making.add(async () => {
        try {
          await renditions.makeMissing(ctx, owner, [name], write);
          return await there();
        } catch (error) {
          // Deleted meanwhile, and its file with it.
          if (!ctx.signal.aborted && !(await isThere(ctx.em))) return null;
          throw error;
        }
      });
    },

    async insert(em: EntityManager, rows: readonly Rendition[]): Promise<void> {
      if (rows.length > 0) await em.insertMany(RenditionEntity, [...rows]);
    },

    async drop(rows: readonly Pick<Rendition, 'storageKey'>[]): Promise<void> {
      await Promise.all(rows.map((row) => storage.delete(row.storageKey)));
    },

    /** Of several owners at once, smallest first. */
    async of(em: EntityManager, ownerIds: readonly string[]): Promise<Rendition[]> {
      const rows: Rendition[] = [];
      for (const ids of chunksOf(ownerIds)) {
        const marks = ids.map(() => '?').join(', ');
        rows.push(...(await selectRows(em, RenditionEntity, `where t.owner_id in (${marks})`, ids)));
      }
      return rows.sort((a, b) => RENDITIONS[a.name].side - RENDITIONS[b.name].side);
    },

    /** Removes the rows in the caller's transaction; the files are its to delete after the commit. */
    async forget(em: EntityManager, ownerIds: readonly string[]): Promise<void> {
      for (const ids of chunksOf(ownerIds)) {
        await em.nativeDelete(RenditionEntity, { ownerId: { $in: ids } });
      }
    },
  };

  return renditions;
}

export type Renditions = ReturnType<typeof createRenditions>;
