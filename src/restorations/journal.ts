import type { EntityManager } from '@mikro-orm/sqlite';
import { rowById } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { StoredEvent } from '../events/entity.ts';
import type { Events, NewEvent } from '../events/service.ts';
import { RestorationEntity, type Restoration } from './entity.ts';
import { allows, conflict, TRANSITIONS, type Transition } from './states.ts';

type Patch = Partial<Omit<Restoration, 'id' | 'status' | 'lastEvent'>>;

/** A change that has been written; publish it after the commit. */
export interface Change {
  restoration: Restoration;
  event: StoredEvent;
  previous: number | null;
}

/** The claim has been taken over, or the restoration has gone: whatever this worker has made is not wanted. */
export class LostClaim extends Error {
  constructor() {
    super("the restoration is no longer this worker's");
    this.name = 'LostClaim';
  }
}

export async function restorationById(em: EntityManager, id: string): Promise<Restoration | null> {
  return (await rowById(em, RestorationEntity, id)) ?? null;
}

/**
 * The only writer of a restoration's status: each change goes through the transition table and writes its event in the
 * same transaction.
 */
export function createJournal(deps: { events: Events }) {
  const { events } = deps;

  async function write(
    em: EntityManager,
    before: Restoration,
    patch: Partial<Restoration>,
    message: string | null,
  ): Promise<Change> {
    const after: Restoration = { ...before, ...patch };
    const event = await events.append(em, eventOf(after, message));
    after.lastEvent = event.seq;
    await em.nativeUpdate(RestorationEntity, { id: before.id }, { ...patch, lastEvent: event.seq });
    return { restoration: after, event, previous: before.lastEvent };
  }

  return {
    /** Writes the first event of a new row, which the caller has inserted. */
    begin: (em: EntityManager, restoration: Restoration): Promise<Change> => write(em, restoration, {}, null),

    /**
     * @param fence of the worker's claim; null for what its owner does.
     * @throws LostClaim when the fence is not the present one, AppError CONFLICT when the table says no.
     */
    async transition(
      em: EntityManager,
      id: string,
      transition: Transition,
      options: { fence: number | null; patch?: Patch; message?: string },
    ): Promise<Change> {
      const before = await restorationById(em, id);
      const { fence, patch = {}, message = null } = options;
      if (before === null)
        throw fence === null ? new AppError('NOT_FOUND', 'There is no such restoration.') : new LostClaim();
      if (fence !== null && transition !== 'claim' && before.fence !== fence) throw new LostClaim();
      if (!allows(transition, before.status))
        throw fence === null ? conflict(transition, before.status) : new LostClaim();
      return write(em, before, { ...patch, status: TRANSITIONS[transition].to }, message);
    },

    /** A new stage of a running restoration. @throws LostClaim */
    async stage(
      em: EntityManager,
      id: string,
      fence: number,
      patch: Pick<Patch, 'stage' | 'percent'>,
      message: string | null,
    ): Promise<Change> {
      const before = await restorationById(em, id);
      if (before?.status !== 'RUNNING' || before.fence !== fence) throw new LostClaim();
      return write(em, before, patch as Partial<Restoration>, message);
    },

    /** After the commit. */
    publish({ restoration, event, previous }: Change, etaSeconds: number | null = null): void {
      events.publish(event, { previous, etaSeconds, live: false, restoration });
    },

    /** A percent in between, which bears the place of the last stored event and is not stored itself. */
    publishLive(restoration: Restoration, percent: number, etaSeconds: number | null): void {
      if (restoration.lastEvent === null) return;
      const event = { ...events.unsaved({ ...eventOf(restoration, null), percent }), seq: restoration.lastEvent };
      events.publish(event, { previous: null, etaSeconds, live: true, restoration: { ...restoration, percent } });
    },
  };
}

function eventOf(restoration: Restoration, message: string | null): NewEvent {
  const { id, sessionId, photoId, attempts, status, stage, percent } = restoration;
  return {
    kind: 'RESTORATION_CHANGED',
    sessionId,
    restorationId: id,
    photoId,
    attempt: attempts,
    status,
    stage,
    percent,
    message,
  };
}

export type Journal = ReturnType<typeof createJournal>;
