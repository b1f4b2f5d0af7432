import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntityManager } from '@mikro-orm/sqlite';
import { requireUser } from '../auth/require.ts';
import type { ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { chunksOf, selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import { takeMask, writeMask, type MaskFile } from '../imaging/damage-mask.ts';
import { inspectImage } from '../imaging/inspect.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import type { Raster } from '../imaging/raster.ts';
import type { Gate } from '../limits/gate.ts';
import { spend, type Budget, type Limiter } from '../limits/limiter.ts';
import type { Photo } from '../photos/entity.ts';
import type { IncomingFile, SpooledFile } from '../storage/spool.ts';
import type { Storage } from '../storage/storage.ts';
import { sha256Of } from './checksum.ts';
import { MaskEntity, type Mask, type Restoration } from './entity.ts';

/** Refusals that are about the mask that was sent, whatever they would mean of a photo. */
const ABOUT_THE_PICTURE = new Set(['UNSUPPORTED_IMAGE', 'CORRUPT_IMAGE', 'IMAGE_TOO_LARGE']);

/** The file of a restoration's mask, without a row as yet. */
type StoredMask = Omit<Mask, 'restorationId' | 'own'>;

/** What is repaired: the masks that people send, and those that a repair has used. */
export function createMasks(deps: {
  storage: Storage;
  /** An existing folder for files on their way into the storage. */
  scratchDir: string;
  decoding: Gate;
  imageLimits: ImageLimits;
  limiter: Limiter;
  /** A mask counts as an upload. */
  uploadBudget: Budget;
  now: () => number;
}) {
  const { storage, uploadBudget } = deps;

  /** Moves what `write` has made into the storage, under `key`. */
  async function store(
    key: string,
    signal: AbortSignal,
    write: (scratch: string) => Promise<MaskFile>,
  ): Promise<StoredMask> {
    const scratch = join(deps.scratchDir, `${newId()}.part`);
    try {
      const file = await write(scratch);
      const sha256 = await sha256Of(scratch, signal);
      await storage.put(key, scratch);
      return { id: newId(), createdAt: new Date(deps.now()), ...file, sha256, storageKey: key };
    } finally {
      await rm(scratch, { force: true });
    }
  }

  async function judge(file: SpooledFile, photo: Photo, scratch: string, signal: AbortSignal): Promise<MaskFile> {
    const { imageLimits, decoding } = deps;
    try {
      // Twice: once by the judge, once for what it shows.
      const found = await inspectImage(file.path, imageLimits, {
        signal,
        whenRoom: (bytes, decode) => decoding.run(bytes, signal, decode),
      });
      const bytes = found.width * found.height * 8;
      return await decoding.run(bytes, signal, () =>
        takeMask({ ...found, path: file.path }, photo, scratch, { limits: imageLimits, signal }),
      );
    } catch (error) {
      if (!(error instanceof AppError) || !ABOUT_THE_PICTURE.has(error.code)) throw error;
      throw new AppError('BAD_USER_INPUT', `The mask is no picture that can be read: ${error.message}`, {
        field: 'input.options.mask',
        cause: error,
      });
    }
  }

  return {
    /**
     * Waits until a mask is on the disk, judges it, and stores it. `insert` has to follow, or `drop`.
     *
     * @throws AppError BAD_USER_INPUT for what is no mask of this photo, RATE_LIMITED, PAYLOAD_TOO_LARGE, STORAGE_FULL.
     */
    async receive(ctx: ServiceContext, upload: Promise<IncomingFile>, photo: Photo, key: string): Promise<StoredMask> {
      const { userId } = requireUser(ctx);
      await spend(deps.limiter, uploadBudget, userId, () => `No more than ${uploadBudget.points} uploads an hour.`);
      const file = await (await upload).spooled;
      return store(key, ctx.signal, (scratch) => judge(file, photo, scratch, ctx.signal));
    },

    /** Stores the mask that a repair has used. `insert` has to follow, or `drop`. @throws AppError STORAGE_FULL. */
    keep: (mask: Raster, key: string, signal: AbortSignal): Promise<StoredMask> =>
      store(key, signal, (scratch) => writeMask(mask, scratch)),

    async insert(em: EntityManager, restoration: Restoration, stored: StoredMask, own: boolean): Promise<void> {
      await em.insert(MaskEntity, { ...stored, restorationId: restoration.id, own });
    },

    drop: (stored: StoredMask): Promise<void> => storage.delete(stored.storageKey),

    /** Of several restorations at once. Their rows go with those of the restorations. */
    async of(em: EntityManager, restorationIds: readonly string[]): Promise<Mask[]> {
      const rows: Mask[] = [];
      for (const ids of chunksOf(restorationIds)) {
        const marks = ids.map(() => '?').join(', ');
        rows.push(...(await selectRows(em, MaskEntity, `where t.restoration_id in (${marks})`, ids)));
      }
      return rows;
    },
  };
}

export type Masks = ReturnType<typeof createMasks>;
export type { StoredMask };
