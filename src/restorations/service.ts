import type { EntityManager } from '@mikro-orm/sqlite';
import { requireUser } from '../auth/require.ts';
import type { Owned, ServiceContext } from '../db/context.ts';
import { readPage, type Page, type PageArgs } from '../db/keyset.ts';
import { selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Events } from '../events/service.ts';
import { PhotoEntity } from '../photos/entity.ts';
import type { Renditions } from '../photos/renditions.ts';
import type { Queue } from '../queue/queue.ts';
import type { Storage } from '../storage/storage.ts';
import { RestorationEntity, RunEntity, type Restoration, type Run } from './entity.ts';
import { historyConditions, HISTORY_JOIN, type HistoryFilter } from './filter.ts';
import type { Change, Journal } from './journal.ts';
import type { ProgressBoard } from './progress.ts';

/** How long a cancelled job may take to let go before the answer goes out all the same. */
const CANCEL_WAIT_MS = 500;

/** Attempts at photos: finding, listing, cancelling, retrying, selecting, deleting. */
export function createRestorations(deps: {
  storage: Storage;
  queue: Queue;
  events: Events;
  journal: Journal;
  renditions: Renditions;
  progress: ProgressBoard;
  maxAttempts: number;
  now: () => number;
}) {
  const { storage, queue, events, journal, renditions } = deps;

  /** A row, with the percent of the moment where it runs. */
  function current(restoration: Restoration): Restoration {
    const live = restoration.status === 'RUNNING' ? deps.progress.get(restoration.id) : undefined;
    return live === undefined ? restoration : { ...restoration, percent: Math.max(live.percent, restoration.percent) };
  }

  /** The actor's own restorations, in the order of the ids; null where one is missing or somebody else's. */
  async function ownMany(ctx: ServiceContext, ids: readonly string[]): Promise<(Owned<Restoration> | null)[]> {
    const { actor } = ctx;
    if (actor.kind === 'anonymous' || ids.length === 0) return ids.map(() => null);
    const marks = ids.map(() => '?').join(', ');
    const rows = await selectRows(ctx.em, RestorationEntity, `where t.id in (${marks})`, ids);
    const mine = rows.filter((row) => actor.kind === 'system' || row.userId === actor.userId);
    const byId = new Map(mine.map((row) => [row.id, current(row) as Owned<Restoration>]));
    return ids.map((id) => byId.get(id) ?? null);
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

  async function ofPhotos(ctx: ServiceContext, photoIds: readonly string[]): Promise<Restoration[]> {
    if (photoIds.length === 0) return [];
    const marks = photoIds.map(() => '?').join(', ');
    const rows = await selectRows(
      ctx.em,
      RestorationEntity,
      `where t.photo_id in (${marks}) order by t.photo_id, t.id desc`,
      photoIds,
    );
    return rows.map(current);
  }

  return {
    find,
    get,
    ownMany,
    /** Of photos that have been checked to be the actor's, newest first. */
    ofPhotos,

    /** @throws AppError UNAUTHENTICATED, BAD_USER_INPUT. */
    async history(
      ctx: ServiceContext,
      args: PageArgs,
      filter: HistoryFilter,
      newestFirst: boolean,
    ): Promise<Page<Restoration>> {
      const where = historyConditions(requireUser(ctx), filter);
      const join = filter.search?.trim() ? HISTORY_JOIN : '';
      const page = await readPage(ctx.em, RestorationEntity, { args, where, newestFirst, join });
      return { ...page, rows: page.rows.map(current) };
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
      const { id: restorationId } = await get(ctx, id);
      const finishedAt = new Date(deps.now());
      const cancelled = await write(ctx, (em) =>
        journal.transition(em, restorationId, 'cancel', { fence: null, patch: { stage: null, finishedAt } }),
      );
      await queue.cancel('restoration', restorationId, CANCEL_WAIT_MS);
      return cancelled;
    },

    /** Queues a failed or cancelled one again, with all its tries. @throws AppError NOT_FOUND, CONFLICT. */
    async retry(ctx: ServiceContext, id: string | null): Promise<Restoration> {
      const { id: restorationId } = await get(ctx, id);
      const actor = requireUser(ctx);
      // A cancelled job may still be letting go; a new one beside it would be refused as its duplicate.
      await queue.cancel('restoration', restorationId, CANCEL_WAIT_MS);
      const retried = await write(ctx, async (em) => {
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
      await ctx.em.nativeUpdate(PhotoEntity, { id: restoration.photoId }, { selectedRestorationId: restoration.id });
      return restoration;
    },

    /** Deletes one with its files, also while it runs. @throws AppError NOT_FOUND. */
    async delete(ctx: ServiceContext, id: string | null): Promise<void> {
      const { id: restorationId } = await get(ctx, id);
      await queue.cancel('restoration', restorationId, CANCEL_WAIT_MS);
      const storageKey = (await find(ctx, restorationId))?.storageKey;
      const files = await renditions.of(ctx.em, [restorationId]);
      const event = await ctx.em.transactional(async (em) => {
        const [row] = await selectRows(em, RestorationEntity, 'where t.id = ?', [restorationId]);
        if (row === undefined) throw new AppError('NOT_FOUND', 'There is no such restoration.');
        await renditions.forget(em, [restorationId]);
        await em.nativeDelete(RestorationEntity, { id: restorationId });
        await em.nativeUpdate(
          PhotoEntity,
          { id: row.photoId, selectedRestorationId: restorationId },
          { selectedRestorationId: null },
        );
        await events.forget(em, { restorationId });
        const { sessionId, photoId } = row;
        return events.append(em, { kind: 'RESTORATION_DELETED', sessionId, photoId, restorationId });
      });
      for (const { storageKey: key } of files) await storage.delete(key);
      if (storageKey != null) await storage.delete(storageKey);
      events.publish(event);
    },

    /** Ends the work on photos that are about to be deleted; answers what goes with them. */
    async release(
      ctx: ServiceContext,
      photoIds: readonly string[],
    ): Promise<{ storageKeys: string[]; ownerIds: string[] }> {
      const rows = await ofPhotos(ctx, photoIds);
      await Promise.all(rows.map(({ id }) => queue.cancel('restoration', id, CANCEL_WAIT_MS)));
      // Read again: one that finished while it was being cancelled has a file now.
      const after = await ofPhotos(ctx, photoIds);
      return { storageKeys: after.flatMap((row) => row.storageKey ?? []), ownerIds: after.map(({ id }) => id) };
    },
  };
}

export type Restorations = ReturnType<typeof createRestorations>;
