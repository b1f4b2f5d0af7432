import type { EntityManager } from '@mikro-orm/sqlite';
import { requireUser } from '../auth/require.ts';
import type { ServiceContext } from '../db/context.ts';
import { decodeCursor, type Events, type Published } from '../events/service.ts';
import type { Restoration } from './entity.ts';
import { restorationById } from './journal.ts';
import type { Restorations } from './service.ts';
import { isFinal } from './states.ts';

/** One thing that happened, with the restoration as it is. */
export interface Followed extends Published {
  readonly restoration: Restoration;
}

/** A stage that was being written when somebody came has a lower percent than the present state that they were shown. */
function notBehind(shown: Followed | undefined, next: Followed): Followed {
  const { event, restoration } = next;
  if (shown === undefined || shown.event.attempt !== event.attempt || shown.event.percent <= event.percent) return next;
  const { percent } = shown.event;
  return { ...next, event: { ...event, percent }, restoration: { ...restoration, percent } };
}

/** What subscriptions yield. */
export function createFollow(deps: { events: Events; restorations: Restorations; fork: () => EntityManager }) {
  const { events, restorations, fork } = deps;

  /** The very object that was published where it bears its restoration: what is worked out of it is shared. */
  async function withRestoration(published: Published, id: string): Promise<Followed | null> {
    if (published.restoration !== null) return published as Followed;
    const stored = await restorationById(fork(), id);
    const restoration = stored && restorations.current(stored);
    if (restoration === null || restoration.lastEvent !== published.event.seq) {
      return restoration && { ...published, restoration };
    }
    // The present state: who comes back after a lost connection has seen percents that are not stored.
    return { ...published, event: { ...published.event, percent: restoration.percent }, restoration };
  }

  return {
    /**
     * A restoration's events: from `after` on, or the present state first; then live; ends with the final state.
     *
     * @throws AppError NOT_FOUND, BAD_USER_INPUT.
     */
    async restoration(
      ctx: ServiceContext,
      id: string | null,
      after: string | undefined,
    ): Promise<AsyncIterable<Followed>> {
      const { id: restorationId, status, lastEvent } = await restorations.get(ctx, id);
      const from = after === undefined ? null : decodeCursor(after);
      // The client has seen the end and lost only the word that it was one.
      const over = from !== null && isFinal(status) && from >= (lastEvent ?? 0);
      const scope = { topic: 'restoration', id: restorationId } as const;

      async function* follow(): AsyncGenerator<Followed> {
        if (over) return;
        // Without a cursor the last stored event is the present state: the log is followed from just before it.
        const start = async (): Promise<number | null> => {
          const head = await events.head(fork(), scope);
          // A restoration has a log from its first moment to its last.
          if (head === 0) return null;
          return from === null ? head - 1 : Math.min(from, head);
        };
        let shown: Followed | undefined;
        for await (const published of events.follow(scope, { fork, signal: ctx.signal, after: start })) {
          const followed = await withRestoration(published, restorationId);
          if (followed === null) return;
          shown = notBehind(shown, followed);
          yield shown;
          const { restoration } = followed;
          // A replayed end may be followed by a retry; only the present state says whether more will come.
          const ended = published.event.status !== null && isFinal(published.event.status);
          if (ended && isFinal(restoration.status) && (restoration.lastEvent ?? 0) <= published.event.seq) return;
        }
      }
      return follow();
    },

    /** Everything of this session, from `after` or from now on. @throws AppError UNAUTHENTICATED, BAD_USER_INPUT. */
    async activity(ctx: ServiceContext, after: string | undefined): Promise<AsyncIterable<Published>> {
      const { sessionId } = requireUser(ctx);
      const from = after === undefined ? null : decodeCursor(after);
      const scope = { topic: 'activity', id: sessionId } as const;
      const start = async (): Promise<number> => {
        const head = await events.head(fork(), scope);
        return from === null ? head : Math.min(from, head);
      };
      return events.follow(scope, { fork, signal: ctx.signal, after: start });
    },
  };
}

export type Follow = ReturnType<typeof createFollow>;
