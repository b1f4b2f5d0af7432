import { UniqueConstraintViolationException, type EntityManager } from '@mikro-orm/sqlite';
import { requireUser, unauthenticated } from '../auth/require.ts';
import type { Owned, ServiceContext, UserActor } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { StoredEvent } from '../events/entity.ts';
import type { Events } from '../events/service.ts';
import { inspectImage } from '../imaging/inspect.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import type { Gate } from '../limits/gate.ts';
import { spend, type Budget, type Limiter } from '../limits/limiter.ts';
import type { Queue } from '../queue/queue.ts';
import { displayFilename, safeFilename } from '../storage/names.ts';
import type { IncomingFile, SpooledFile } from '../storage/spool.ts';
import type { Storage } from '../storage/storage.ts';
import { PhotoEntity, type Photo } from './entity.ts';

/** How often the same bytes may come and go beside an upload before it gives up. */
const MOST_TRIES = 5;

/** A photo that has been checked and stored; its row follows in the caller's transaction. */
export interface Received {
  readonly photo: Owned<Photo>;
  /** False when the same bytes were there already. */
  readonly isNew: boolean;
  /** Stores an upload after all, when the photo that had its bytes has been deleted meanwhile. */
  again?(): Promise<Received>;
}

/** Logged out or deleted while the upload was under way: what came in then must not outlive its owner. */
async function assertStillHere(em: EntityManager, { userId, sessionId }: UserActor): Promise<void> {
  const rows = await em.execute<unknown[]>(
    'select 1 from session s join user u on u.id = s.user_id where s.id = ? and u.id = ? and u.disabled_at is null',
    [sessionId, userId],
  );
  if (rows.length === 0) throw unauthenticated();
}

/** Takes uploads in. */
export function createReceiver(deps: {
  storage: Storage;
  events: Events;
  queue: Queue;
  limiter: Limiter;
  imageLimits: ImageLimits;
  decoding: Gate;
  uploadBudget: Budget;
  uploadDir: string;
  now: () => number;
}) {
  const { storage, events, queue, limiter, imageLimits, uploadBudget } = deps;

  async function byHash(em: EntityManager, userId: string, sha256: string): Promise<Received | null> {
    const [photo] = await selectRows(em, PhotoEntity, 'where t.user_id = ? and t.sha256 = ?', [userId, sha256]);
    return photo === undefined ? null : { photo: photo as Owned<Photo>, isNew: false };
  }

  async function store(ctx: ServiceContext, file: SpooledFile, filename: string): Promise<Photo> {
    const { userId, sessionId } = requireUser(ctx);
    const { signal } = ctx;
    const { format, mimeType, width, height, bitDepth, hasAlpha, dominantColor, thumbhash } = await inspectImage(
      file.path,
      imageLimits,
      { signal, whenRoom: (bytes, decode) => deps.decoding.run(bytes, signal, decode) },
    );
    const id = newId();
    const storageKey = `${deps.uploadDir}/${sessionId}/${id}_${safeFilename(filename)}`;
    await storage.put(storageKey, file.path);
    return {
      id,
      createdAt: new Date(deps.now()),
      userId,
      sessionId,
      originalFilename: displayFilename(filename),
      format,
      mimeType,
      width,
      height,
      bitDepth,
      hasAlpha,
      dominantColor,
      thumbhash,
      bytes: file.bytes,
      sha256: file.sha256,
      storageKey,
      selectedRestorationId: null,
    };
  }

  /**
   * Writes a received photo and whatever `write` adds in one transaction, then says so. When the same bytes have come in
   * by another request meanwhile, that photo is used; on any other failure nothing is left behind.
   */
  async function commit<T>(
    ctx: ServiceContext,
    received: Received,
    write: (em: EntityManager, photo: Owned<Photo>) => Promise<T>,
    tries = 1,
  ): Promise<{ photo: Owned<Photo>; written: T }> {
    const { photo, isNew } = received;
    const actor = requireUser(ctx);
    const committed = await ctx.em
      .transactional(async (em) => {
        await assertStillHere(em, actor);
        if (!isNew && (await byHash(em, photo.userId, photo.sha256))?.photo.id !== photo.id) return null;
        const event = isNew ? await insert(em, photo, actor.sessionId) : null;
        return { event, written: await write(em, photo) };
      })
      .catch(async (error: unknown) => {
        if (!isNew) throw error;
        const isBeaten = error instanceof UniqueConstraintViolationException;
        const there = isBeaten ? await byHash(ctx.em, photo.userId, photo.sha256) : null;
        // Whoever was faster has been deleted again: the place is free now.
        if (isBeaten && there === null && tries < MOST_TRIES) return received;
        await storage.delete(photo.storageKey);
        if (there === null) throw error;
        return there;
      });
    if (committed === null) {
      if (received.again === undefined) throw new AppError('NOT_FOUND', 'There is no such photo.');
      return commit(ctx, await received.again(), write, tries + 1);
    }
    if ('isNew' in committed) return commit(ctx, committed, write, tries + 1);
    if (committed.event !== null) {
      events.publish(committed.event);
      queue.wake();
    }
    return { photo, written: committed.written };
  }

  async function insert(em: EntityManager, photo: Photo, sessionId: string): Promise<StoredEvent> {
    await em.insert(PhotoEntity, photo);
    await queue.add(em, { kind: 'photo', refId: photo.id, groupId: sessionId });
    return events.append(em, { kind: 'PHOTO_UPLOADED', sessionId, photoId: photo.id });
  }

  return {
    /**
     * Waits until an upload is on the disk, judges it by its content, and stores it. `commit` has to follow.
     *
     * @throws AppError RATE_LIMITED, PAYLOAD_TOO_LARGE, UNSUPPORTED_IMAGE, CORRUPT_IMAGE, IMAGE_TOO_LARGE, STORAGE_FULL.
     */
    async receive(ctx: ServiceContext, upload: Promise<IncomingFile>): Promise<Received> {
      const { userId } = requireUser(ctx);
      await spend(limiter, uploadBudget, userId, () => `No more than ${uploadBudget.points} uploads an hour.`);
      const { filename, spooled } = await upload;
      const file = await spooled;
      const again = async (): Promise<Received> => ({
        photo: (await store(ctx, file, filename)) as Owned<Photo>,
        isNew: true,
      });
      const there = await byHash(ctx.em, userId, file.sha256);
      return there === null ? again() : { ...there, again };
    },

    commit,

    /** Takes a received photo away again, when `commit` will not follow. */
    async drop({ photo, isNew }: Received): Promise<void> {
      if (isNew) await storage.delete(photo.storageKey);
    },
  };
}

export type Receiver = ReturnType<typeof createReceiver>;
