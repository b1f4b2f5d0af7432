import type { EntityManager } from '@mikro-orm/sqlite';
import { requireUser } from '../auth/require.ts';
import type { Owned, ServiceContext } from '../db/context.ts';
import { readPage, type Page, type PageArgs } from '../db/keyset.ts';
import { ownRows } from '../db/owned.ts';
import { rowById, selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Events } from '../events/service.ts';
import type { RenditionName } from '../imaging/renditions.ts';
import { PhotoEntity, type Rendition } from '../photos/entity.ts';
import type { Models } from '../models/service.ts';
import type { Renditions } from '../photos/renditions.ts';
import { deleteFiles, type Dependent } from '../photos/service.ts';
import type { Queue } from '../queue/queue.ts';
import type { Storage } from '../storage/storage.ts';
import type { Admission } from './admission.ts';
import {
  NOT_LISTED,
  RestorationEntity,
  RunEntity,
  type ListedRestoration,
  type Restoration,
  type Run,
} from './entity.ts';
import { historyConditions, HISTORY_JOIN, type HistoryFilter } from './filter.ts';
import { restorationById, type Change, type Journal } from './journal.ts';
import type { Masks } from './masks.ts';
import type { ProgressBoard } from './progress.ts';
import { allows, conflict } from './states.ts';

/** Attempts that a photo lists itself. */
export const ATTEMPTS_SHOWN = 100;

/** How long a cancelled job may take to let go before the answer goes out all the same. */
const CANCEL_WAIT_MS = 500;

/** Attempts at photos: finding, listing, cancelling, retrying, selecting, deleting. */
export function createRestorations(deps: {
  storage: Storage;
  queue: Queue;
  events: Events;
  journal: Journal;
  renditions: Renditions;
  masks: Masks;
  progress: ProgressBoard;
  models: Models;
  admission: Admission;
  maxAttempts: number;
  now: () => number;
}) {
  const { storage, queue, events, journal, renditions } = deps;

  /** A row, with the percent of the moment where it runs. */
  function current<T extends ListedRestoration>(restoration: T): T {
    const live = restoration.status === 'RUNNING' ? deps.progress.get(restoration.id) : undefined;
    return live === undefined ? restoration : { ...restoration, percent: Math.max(live.percent, restoration.percent) };
  }

  /** The actor's own restorations, in the order of the ids; null where one is missing or somebody else's. */
  async function ownMany(ctx: ServiceContext, ids: readonly string[]): Promise<(Owned<Restoration> | null)[]> {
    const rows = await ownRows(ctx, RestorationEntity, ids);
    return rows.map((row) => row && (current(row) as Owned<Restoration>));
  }

  async function find(ctx: ServiceContext, id: string | null): Promise<Owned<Restoration> | null> {
    return id === null ? null : ((await ownMany(ctx, [id]))[0] ?? null);
  }

  async function get(ctx: ServiceContext, id: string | null): Promise<Owned<Restoration>> {
    const restoration = await find(ctx, id);
    if (restoration === null) throw new AppError('NOT_FOUND', 'There is no such restoration.');
    return restoration;
  }

  async function write(ctx: ServiceContext, change: (em: EntityManager) => Promise<Change>): Promise<Restoration> {
    const written = await ctx.em.transactional(change);
    journal.publish(written);
    return written.restoration;
  }

  async function rowsOfPhotos(em: EntityManager, photoIds: readonly string[]): Promise<Restoration[]> {
    if (photoIds.length === 0) return [];
    const marks = photoIds.map(() => '?').join(', ');
    const tail = `where t.photo_id in (${marks}) order by t.photo_id, t.id desc`;
    return selectRows(em, RestorationEntity, tail, photoIds);
  }

  return {
    find,
    get,
    ownMany,
    current,

    /** Of photos that have been checked to be the actor's: the newest of each, newest first. */
    async ofPhotos(ctx: ServiceContext, photoIds: readonly string[]): Promise<Restoration[]> {
      const tail = `where t.photo_id in (${photoIds.map(() => '?').join(', ')}) and t.id >= coalesce(
          (select r.id from restoration r where r.photo_id = t.photo_id
            order by r.id desc limit 1 offset ${ATTEMPTS_SHOWN - 1}), '')`;
      const rows = await selectRows(ctx.em, RestorationEntity, tail, photoIds);
      return rows.map((row) => current(row)).sort((a, b) => (a.id < b.id ? 1 : -1));
    },

    /** Of photos that have been checked to be the actor's: the success its owner chose, or the newest one. */
    selectedOf(ctx: ServiceContext, photoIds: readonly string[]): Promise<Restoration[]> {
      const tail = `where t.id in (
          select coalesce(
            (select r.id from restoration r where r.id = p.selected_restoration_id and r.status = 'SUCCEEDED'),
            (select max(r.id) from restoration r where r.photo_id = p.id and r.status = 'SUCCEEDED'))
            from photo p where p.id in (${photoIds.map(() => '?').join(', ')}))`;
      return selectRows(ctx.em, RestorationEntity, tail, photoIds);
    },

    /** @throws AppError UNAUTHENTICATED, BAD_USER_INPUT. */
    async history(
      ctx: ServiceContext,
      args: PageArgs,
      filter: HistoryFilter,
      newestFirst: boolean,
    ): Promise<Page<ListedRestoration>> {
      const where = historyConditions(requireUser(ctx), filter);
      const join = filter.search?.trim() ? HISTORY_JOIN : '';
      const page = await readPage(ctx.em, RestorationEntity, { args, where, newestFirst, join, without: NOT_LISTED });
      return { ...page, rows: page.rows.map((row) => current(row)) };
    },

    /** The tries of several restorations, in order. */
    async runsOf(em: EntityManager, ids: readonly string[]): Promise<Run[]> {
      const marks = ids.map(() => '?').join(', ');
      return selectRows(em, RunEntity, `where t.restoration_id in (${marks}) order by t.restoration_id, t.number`, ids);
    },

    /**
     * Cancels exactly one. The row says so at once; the answer waits up to half a second for the work to let go.
     *
     * @throws AppError NOT_FOUND, CONFLICT when it has ended.
     */
    async cancel(ctx: ServiceContext, id: string | null): Promise<Restoration> {
      const { id: restorationId, percent } = await get(ctx, id);
      const patch = { stage: null, percent, finishedAt: new Date(deps.now()) };
      const { change, stop } = await ctx.em.transactional(async (em) => ({
        change: await journal.transition(em, restorationId, 'cancel', { fence: null, patch }),
        stop: await queue.remove(em, 'restoration', [restorationId]),
      }));
      journal.publish(change);
      await stop(CANCEL_WAIT_MS);
      return change.restoration;
    },

    /**
     * Queues a failed or cancelled one again, with all its tries.
     *
     * @throws AppError NOT_FOUND, CONFLICT, and as a new one RATE_LIMITED, UNKNOWN_MODEL, MODEL_UNAVAILABLE.
     */
    async retry(ctx: ServiceContext, id: string | null): Promise<Restoration> {
      const { id: restorationId, status, modelId } = await get(ctx, id);
      const actor = requireUser(ctx);
      if (!allows('retry', status)) throw conflict('retry', status);
      await deps.models.resolve(modelId, ctx.signal);
      await deps.admission.takeBudget(actor);
      const retried = await write(ctx, async (em) => {
        await deps.admission.checkRoom(em, actor);
        const change = await journal.transition(em, restorationId, 'retry', {
          fence: null,
          patch: {
            percent: 0,
            stage: null,
            triesLeft: deps.maxAttempts,
            queuedAt: new Date(deps.now()),
            startedAt: null,
            finishedAt: null,
            errorCode: null,
            errorMessage: null,
            errorRetryAfter: null,
            errorProvider: null,
          },
        });
        await queue.add(em, { kind: 'restoration', refId: restorationId, groupId: actor.sessionId });
        return change;
      });
      queue.wake();
      return retried;
    },

    /** Makes it the one its photo shows. @throws AppError NOT_FOUND, CONFLICT when it has no result. */
    async select(ctx: ServiceContext, id: string | null): Promise<Restoration> {
      const restoration = await get(ctx, id);
      if (restoration.status !== 'SUCCEEDED')
        throw new AppError('CONFLICT', 'Only a restoration that succeeded can be selected.');
      const { id: selectedRestorationId, photoId, sessionId } = restoration;
      const event = await ctx.em.transactional(async (em) => {
        await em.nativeUpdate(PhotoEntity, { id: photoId }, { selectedRestorationId });
        return events.append(em, { kind: 'PHOTO_CHANGED', sessionId, photoId });
      });
      events.publish(event);
      return restoration;
    },

    /** Deletes one with its files, also while it runs. @throws AppError NOT_FOUND. */
    async delete(ctx: ServiceContext, id: string | null): Promise<void> {
      const { id: restorationId } = await get(ctx, id);
      const { event, keys, stop } = await ctx.em.transactional(async (em) => {
        const row = await rowById(em, RestorationEntity, restorationId);
        if (row === undefined) throw new AppError('NOT_FOUND', 'There is no such restoration.');
        const files = [...(await renditions.of(em, [restorationId])), ...(await deps.masks.of(em, [restorationId]))];
        await renditions.forget(em, [restorationId]);
        await em.nativeDelete(RestorationEntity, { id: restorationId });
        await em.nativeUpdate(
          PhotoEntity,
          { id: row.photoId, selectedRestorationId: restorationId },
          { selectedRestorationId: null },
        );
        await events.forget(em, { restorationId });
        const { sessionId, photoId, storageKey } = row;
        return {
          stop: await queue.remove(em, 'restoration', [restorationId]),
          event: await events.append(em, { kind: 'RESTORATION_DELETED', sessionId, photoId, restorationId }),
          keys: [...files.map((file) => file.storageKey), ...(storageKey === null ? [] : [storageKey])],
        };
      });
      events.publish(event);
      await stop(CANCEL_WAIT_MS);
      await deleteFiles(ctx, storage, keys);
    },

    /** One size of a result, made now where it is missing; null when there is no result. */
    async rendition(
      ctx: ServiceContext,
      restoration: ListedRestoration,
      name: RenditionName,
    ): Promise<Rendition | null> {
      const { id, storageKey: sourceKey, format } = restoration;
      if (sourceKey === null || format === null) return null;
      const isThere = async (em: EntityManager): Promise<boolean> => (await restorationById(em, id)) !== null;
      return renditions.findOrMake(ctx, { ownerId: id, sourceKey, format }, name, isThere);
    },

    /** What goes with photos that are being deleted, in that transaction. */
    async of(em: EntityManager, photoIds: readonly string[]): Promise<Dependent> {
      const rows = await rowsOfPhotos(em, photoIds);
      const ownerIds = rows.map(({ id }) => id);
      const masks = await deps.masks.of(em, ownerIds);
      const stop = await queue.remove(em, 'restoration', ownerIds);
      return {
        storageKeys: [...rows, ...masks].flatMap((row) => row.storageKey ?? []),
        ownerIds,
        async gone() {
          for (const id of ownerIds) events.publishGone(id);
          await stop(CANCEL_WAIT_MS);
        },
      };
    },
  };
}

export type Restorations = ReturnType<typeof createRestorations>;
