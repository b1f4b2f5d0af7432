import { rm } from 'node:fs/promises';
import { UniqueConstraintViolationException, type EntityManager } from '@mikro-orm/sqlite';
import PQueue from 'p-queue';
import type { ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { chunksOf, selectRows } from '../db/rows.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import { makeRenditions, RENDITIONS, type RenditionName } from '../imaging/renditions.ts';
import type { Storage } from '../storage/storage.ts';
import { RenditionEntity, type Rendition } from './entity.ts';

/** Made after every upload and every result; ORIGINAL waits until somebody asks for it. */
export const EAGER_RENDITIONS: readonly RenditionName[] = ['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE'];

/** Renditions made on request at once: each holds a whole decoded picture. */
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
  /** WebP quality, 1 to 100. */
  quality: number;
  /** Wide enough for results, which may be larger than uploads. */
  limits: ImageLimits;
  now: () => number;
}) {
  const { storage } = deps;
  const making = new PQueue({ concurrency: MAKING_AT_ONCE });

  const keyOf = (sourceKey: string, name: RenditionName): string =>
    `${sourceKey.replace(/\.[A-Za-z0-9]+$/, '')}.${name.toLowerCase()}.webp`;

  const renditions = {
    /**
     * Makes renditions of a stored file and stores them. The rows are the caller's to insert, in the transaction that
     * makes them visible; where that fails, `drop` them again.
     */
    async make(owner: RenditionSource, names: readonly RenditionName[], signal: AbortSignal): Promise<Rendition[]> {
      await using source = await storage.local(owner.sourceKey);
      if (source === null) return [];
      const made = await makeRenditions(source.path, owner.format, names, deps.scratchDir, {
        quality: deps.quality,
        limits: deps.limits,
        signal,
      });
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
      return making.add(async () => {
        // Looked at inside: work that has begun cannot be stopped, and keeps its place until it ends.
        ctx.signal.throwIfAborted();
        // Whoever waited before us may have asked for the same.
        const meanwhile = await there();
        if (meanwhile !== null) return meanwhile;
        try {
          return await makeOne(ctx, owner, name, isThere);
        } catch (error) {
          // Another request was faster; both wrote the same file.
          if (error instanceof UniqueConstraintViolationException) return there();
          // Deleted meanwhile, and its file with it.
          if (!(await isThere(ctx.em))) return null;
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

    /**
     * Removes the rows in the caller's transaction; the files are its to delete after the commit.
     *
     * @param names default all.
     */
    async forget(em: EntityManager, ownerIds: readonly string[], names?: readonly RenditionName[]): Promise<void> {
      const some = names === undefined ? {} : { name: { $in: [...names] } };
      for (const ids of chunksOf(ownerIds)) {
        await em.nativeDelete(RenditionEntity, { ownerId: { $in: ids }, ...some });
      }
    },
  };

  async function makeOne(
    ctx: ServiceContext,
    owner: RenditionSource,
    name: RenditionName,
    isThere: (em: EntityManager) => Promise<boolean>,
  ): Promise<Rendition | null> {
    const [made] = await renditions.make(owner, [name], ctx.signal);
    if (made === undefined) return null;
    const written = await ctx.em
      .transactional(async (em) => {
        if (!(await isThere(em))) return false;
        await em.insert(RenditionEntity, made);
        return true;
      })
      .catch(async (error: unknown) => {
        if (!(error instanceof UniqueConstraintViolationException)) await renditions.drop([made]);
        throw error;
      });
    if (written) return made;
    await renditions.drop([made]);
    return null;
  }

  return renditions;
}

export type Renditions = ReturnType<typeof createRenditions>;
