import type { EntityManager } from '@mikro-orm/sqlite';
import { requireUser } from '../auth/require.ts';
import type { Owned, ServiceContext } from '../db/context.ts';
import { readPage, type Page, type PageArgs } from '../db/keyset.ts';
import { ownRows } from '../db/owned.ts';
import { rowById } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Events } from '../events/service.ts';
import type { RenditionName } from '../imaging/renditions.ts';
import type { Queue } from '../queue/queue.ts';
import type { IncomingFile } from '../storage/spool.ts';
import type { Storage } from '../storage/storage.ts';
import { DIAGNOSIS_JOB, isDiagnosedAtOnce } from './diagnosis.ts';
import { PhotoEntity, type Photo, type Rendition } from './entity.ts';
import { photoConditions, type PhotoFilter } from './filter.ts';
import type { Receiver } from './receive.ts';
import { EAGER_RENDITIONS, type Renditions } from './renditions.ts';

export const MAX_PHOTOS_AT_ONCE = 50;

/** After the rows have gone. A file that stays because of an error is found by the next sweep. */
export async function deleteFiles(ctx: ServiceContext, storage: Storage, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    await storage.delete(key).catch((err: unknown) => ctx.log.error({ err, key }, 'could not delete a file'));
  }
}

function checkCount(count: number, field: string): void {
  if (count <= MAX_PHOTOS_AT_ONCE) return;
  throw new AppError('BAD_USER_INPUT', `No more than ${MAX_PHOTOS_AT_ONCE} photos at once.`, { field });
}

/** What hangs on photos and goes with them; injected, since restorations know photos and not the reverse. */
export interface Dependants {
  /** In the transaction that removes these photos. */
  of(em: EntityManager, photoIds: readonly string[]): Promise<Dependent>;
}

export interface Dependent {
  /** The files and the owners of the renditions that go too. */
  readonly storageKeys: string[];
  readonly ownerIds: string[];
  /** After the commit: stops what works on them, and tells those who follow it. */
  gone(): Promise<void>;
}

/** Uploaded originals: finding, listing, deleting, and their renditions. */
export function createPhotos(deps: {
  storage: Storage;
  events: Events;
  queue: Queue;
  receiver: Receiver;
  renditions: Renditions;
  dependants: Dependants;
}) {
  const { storage, events, queue, receiver, renditions } = deps;

  /** The actor's own photos, in the order of the ids; null where one is missing or somebody else's. */
  const ownMany = (ctx: ServiceContext, ids: readonly string[]): Promise<(Owned<Photo> | null)[]> =>
    ownRows(ctx, PhotoEntity, ids);

  async function find(ctx: ServiceContext, id: string | null): Promise<Owned<Photo> | null> {
    return id === null ? null : ((await ownMany(ctx, [id]))[0] ?? null);
  }

  /**
   * Removes photos with everything that hangs on them: rows first, so that whoever works on them finds its claim lost and
   * takes away what it has stored; then the files.
   */
  async function erase(ctx: ServiceContext, photos: readonly Owned<Photo>[]): Promise<void> {
    if (photos.length === 0) return;
    const ids = photos.map((photo) => photo.id);
    const { deleted, keys, gone, stops } = await ctx.em.transactional(async (em) => {
      const dependants = await deps.dependants.of(em, ids);
      const owners = [...ids, ...dependants.ownerIds];
      const files = [...photos, ...(await renditions.of(em, owners))].map((file) => file.storageKey);
      await renditions.forget(em, owners);
      await em.nativeDelete(PhotoEntity, { id: { $in: ids } });
      await events.forget(em, { photoIds: ids });
      const appended = [];
      for (const { id, sessionId } of photos) {
        if (sessionId !== null)
          appended.push(await events.append(em, { kind: 'PHOTO_DELETED', sessionId, photoId: id }));
      }
      const { gone: end, storageKeys } = dependants;
      const stopped = [await queue.remove(em, 'photo', ids), await queue.remove(em, DIAGNOSIS_JOB, ids)];
      return { deleted: appended, keys: [...files, ...storageKeys], gone: end, stops: stopped };
    });
    for (const event of deleted) events.publish(event);
    await Promise.all([gone(), ...stops.map((stop) => stop())]);
    await deleteFiles(ctx, storage, keys);
  }

  /** Makes the rows of new renditions visible, and has the photo diagnosed next; false when it has gone meanwhile. */
  async function publishRenditions(ctx: ServiceContext, photoId: string, rows: readonly Rendition[]): Promise<boolean> {
    const event = await ctx.em.transactional(async (em) => {
      const photo = await rowById(em, PhotoEntity, photoId);
      if (photo === undefined) return null;
      await renditions.insert(em, rows);
      const { sessionId } = photo;
      const groupId = sessionId ?? photo.userId;
      if (isDiagnosedAtOnce(photo)) await queue.add(em, { kind: DIAGNOSIS_JOB, refId: photoId, groupId });
      return sessionId === null ? undefined : events.append(em, { kind: 'PHOTO_READY', sessionId, photoId });
    });
    if (event) events.publish(event);
    queue.wake();
    return event !== null;
  }

  return {
    find,
    ownMany,
    erase,

    /** Stores an upload; the same bytes give the photo that is there. For errors see `Receiver.receive`. */
    async upload(ctx: ServiceContext, file: Promise<IncomingFile>): Promise<Photo> {
      const received = await receiver.receive(ctx, file);
      return (await receiver.commit(ctx, received, async () => {})).photo;
    },

    /** Several of the actor's own, in order; null where there is none. @throws AppError BAD_USER_INPUT for too many. */
    async several(ctx: ServiceContext, ids: readonly (string | null)[]): Promise<(Owned<Photo> | null)[]> {
      checkCount(ids.length, 'ids');
      return ownMany(
        ctx,
        ids.map((id) => id ?? ''),
      );
    },

    /** @throws AppError NOT_FOUND. */
    async get(ctx: ServiceContext, id: string | null): Promise<Owned<Photo>> {
      const photo = await find(ctx, id);
      if (photo === null) throw new AppError('NOT_FOUND', 'There is no such photo.');
      return photo;
    },

    /** One size of the actor's own photo, made now where it is missing; null when the photo has gone. */
    async rendition(ctx: ServiceContext, photo: Photo, name: RenditionName): Promise<Rendition | null> {
      const owner = { ownerId: photo.id, sourceKey: photo.storageKey, format: photo.format };
      const isThere = async (em: EntityManager): Promise<boolean> =>
        (await rowById(em, PhotoEntity, photo.id)) !== undefined;
      return renditions.findOrMake(ctx, owner, name, isThere);
    },

    /** @throws AppError UNAUTHENTICATED, BAD_USER_INPUT. */
    async page(ctx: ServiceContext, args: PageArgs, filter: PhotoFilter, newestFirst: boolean): Promise<Page<Photo>> {
      const where = photoConditions(requireUser(ctx), filter);
      return readPage(ctx.em, PhotoEntity, { args, where, newestFirst });
    },

    /**
     * Deletes photos with their restorations and every file, also while a job works on one.
     *
     * @throws AppError NOT_FOUND when one of them is not there; then none is deleted.
     */
    async delete(ctx: ServiceContext, ids: readonly (string | null)[]): Promise<void> {
      requireUser(ctx);
      checkCount(ids.length, 'input.ids');
      const photos = await ownMany(ctx, [...new Set(ids.map((id) => id ?? ''))]);
      const owned = photos.filter((photo) => photo !== null);
      if (owned.length < photos.length) throw new AppError('NOT_FOUND', 'There is no such photo.');
      await erase(ctx, owned);
    },

    /** Works on one `photo` job: makes the renditions and announces them. */
    async prepare(ctx: ServiceContext, photoId: string): Promise<void> {
      const photo = await find(ctx, photoId);
      if (photo === null) return;
      const owner = { ownerId: photo.id, sourceKey: photo.storageKey, format: photo.format };
      await renditions.makeMissing(ctx, owner, EAGER_RENDITIONS, (rows) => publishRenditions(ctx, photo.id, rows));
    },
  };
}

export type Photos = ReturnType<typeof createPhotos>;
