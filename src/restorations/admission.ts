import type { EntityManager } from '@mikro-orm/sqlite';
import { clientOf } from '../auth/address.ts';
import type { UserActor } from '../db/context.ts';
import { AppError } from '../errors.ts';
import { spend, type Budget, type Limiter } from '../limits/limiter.ts';
import { RestorationEntity } from './entity.ts';

/** What a client is told to wait when its queue is full: one place usually gets free within this time. */
const QUEUE_FULL_SECONDS = 15;

/** Who may put one more restoration into the queue, new or tried again. */
export function createAdmission(deps: {
  limiter: Limiter;
  /** Restorations waiting in one session; 0 = no limit. */
  maxQueuedPerSession: number;
  /** Restorations of guests, by the network they come from. */
  guestBudget: Budget;
}) {
  const { limiter, maxQueuedPerSession, guestBudget } = deps;

  return {
    /**
     * Looked at before the work of an upload, and again in the transaction that writes.
     *
     * @throws AppError RATE_LIMITED when as many wait in the session as may.
     */
    async checkRoom(em: EntityManager, { sessionId }: UserActor): Promise<void> {
      if (maxQueuedPerSession === 0) return;
      const waiting = await em.count(RestorationEntity, { sessionId, status: 'QUEUED' });
      if (waiting < maxQueuedPerSession) return;
      const message = `${waiting} restorations wait in this session already.`;
      throw new AppError('RATE_LIMITED', message, { retryAfter: QUEUE_FULL_SECONDS });
    },

    /** Takes one out of a guest's budget. @throws AppError RATE_LIMITED. */
    async takeBudget(actor: UserActor): Promise<void> {
      if (!actor.guest) return;
      const message = `Guests may start ${guestBudget.points} restorations a minute.`;
      await spend(limiter, guestBudget, clientOf(actor), () => message);
    },
  };
}

export type Admission = ReturnType<typeof createAdmission>;
