import type { EntityManager } from '@mikro-orm/sqlite';
import { readAll } from '../db/reader.ts';
import { selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { EventBus } from '../pubsub/pubsub.ts';
import { EventEntity, type StoredEvent } from './entity.ts';

/** Something that has just been written to the log. */
export interface Published {
  readonly event: StoredEvent;
  /** Seq of the stored event of the same restoration before this one; null = there was none. */
  readonly previous: number | null;
  /** Seconds until the end, where it is known. */
  readonly etaSeconds: number | null;
  /** True for a percent in between: `event.seq` is then that of the last stored event. */
  readonly live: boolean;
  /** The restoration as it was when this was published, so that a thousand subscribers cost no query. */
  readonly restoration: object | null;
}

/** Everything that is published inside the service, by the id that it is about. */
export interface Topics {
  restoration: Published;
  activity: Published;
}

export type NewEvent = Pick<StoredEvent, 'kind' | 'sessionId'> & Partial<Omit<StoredEvent, 'seq' | 'at'>>;

const BLANK = { photoId: null, restorationId: null, attempt: 0, status: null, stage: null, percent: 0, message: null };
const ALONE = { previous: null, etaSeconds: null, live: false, restoration: null };

const PAGE = 500;

/** The opaque form of a place in the log. */
export function encodeCursor(seq: number): string {
  return Buffer.from(`e${seq}`).toString('base64url');
}

/** @throws AppError BAD_USER_INPUT when it is no cursor of ours. */
export function decodeCursor(cursor: string): number {
  const match = /^e(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('utf8'));
  if (match === null) throw new AppError('BAD_USER_INPUT', 'after is not a cursor of an event.', { field: 'after' });
  return Number(match[1]);
}

export type Scope = { topic: 'restoration' | 'activity'; id: string };
const COLUMN = { restoration: 'restoration_id', activity: 'session_id' } as const;

/** The log of what happened, and its live feed. */
export function createEvents(deps: { bus: EventBus<Topics>; now: () => number }) {
  async function read(em: EntityManager, scope: Scope, after: number): Promise<StoredEvent[]> {
    return selectRows(
      em,
      EventEntity,
      `where t.${COLUMN[scope.topic]} = ? and t.seq > ? order by t.seq limit ${PAGE}`,
      [scope.id, after],
    );
  }

  /** What an event has made its followers read, by where each of them stood. */
  const pages = new WeakMap<Published, Map<number, Promise<Published[]>>>();

  async function readPage(em: EntityManager, scope: Scope, after: number): Promise<Published[]> {
    const events = await read(em, scope, after);
    return events.map((event, index) => ({ ...ALONE, event, previous: events[index - 1]?.seq ?? after }));
  }

  /** One read for all followers that the same event finds at the same place. */
  function readOnce(fork: () => EntityManager, scope: Scope, after: number, because?: Published): Promise<Published[]> {
    if (because === undefined) return readPage(fork(), scope, after);
    const known = pages.get(because) ?? new Map<number, Promise<Published[]>>();
    pages.set(because, known);
    const page = known.get(after) ?? readPage(fork(), scope, after);
    known.set(after, page);
    return page;
  }

  /** An event as it would be written now. */
  const unsaved = (event: NewEvent): Omit<StoredEvent, 'seq'> => ({ ...BLANK, ...event, at: new Date(deps.now()) });

  return {
    /** Writes an event in the caller's transaction; `publish` follows after the commit. */
    async append(em: EntityManager, event: NewEvent): Promise<StoredEvent> {
      const row = unsaved(event);
      const seq = await em.insert(EventEntity, row);
      return { ...row, seq };
    },

    unsaved,

    /** Tells whoever follows. */
    publish(event: StoredEvent, more: Omit<Published, 'event'> = ALONE): void {
      const published = { event, ...more };
      if (event.restorationId !== null) deps.bus.publish('restoration', event.restorationId, published);
      if (!more.live && event.sessionId !== null) deps.bus.publish('activity', event.sessionId, published);
    },

    /** Tells those who follow a restoration that it has gone; its log has gone with it. */
    publishGone(restorationId: string): void {
      const event = unsaved({ kind: 'RESTORATION_DELETED', sessionId: null, restorationId });
      deps.bus.publish('restoration', restorationId, { event: { ...event, seq: Number.MAX_SAFE_INTEGER }, ...ALONE });
    },

    /** The newest place in the log of a scope; 0 when it is empty. */
    async head(em: EntityManager, scope: Scope): Promise<number> {
      const [row] = await readAll<{ seq: number | null }>(
        em,
        `select max(seq) as seq from event where ${COLUMN[scope.topic]} = ?`,
        [scope.id],
      );
      return row?.seq ?? 0;
    },

    /**
     * Follows a scope: what is stored after `after` first, then what comes. Subscribes before it reads, so nothing falls
     * between; where a slow reader's buffer has dropped something, the log is read again instead.
     *
     * @param fork a fresh unit of work for each read: a subscription outlives its request.
     * @param after asked between subscribing and reading: where the log is followed from; null = there is nothing to follow.
     */
    async *follow(
      scope: Scope,
      options: { fork: () => EntityManager; signal: AbortSignal; after: () => Promise<number | null> },
    ): AsyncGenerator<Published> {
      const live = deps.bus.subscribe(scope.topic, scope.id, options.signal);
      try {
        const start = await options.after();
        if (start === null) return;
        let last = start;
        const replay = async function* (because?: Published): AsyncGenerator<Published> {
          for (;;) {
            const page = await readOnce(options.fork, scope, last, because);
            for (const published of page) {
              yield published;
              last = published.event.seq;
            }
            if (page.length < PAGE) return;
          }
        };
        yield* replay();
        for await (const published of live) {
          const { event, previous } = published;
          const missed = published.live ? event.seq > last : scope.topic === 'activity' || (previous ?? 0) > last;
          if (missed) yield* replay(published);
          if (published.live ? event.seq === last : event.seq > last) {
            yield published;
            last = event.seq;
          }
        }
      } finally {
        await live.return?.();
      }
    },

    /** Drops everything that is logged about photos, or about one restoration. */
    async forget(em: EntityManager, about: { photoIds: readonly string[] } | { restorationId: string }): Promise<void> {
      const where = 'photoIds' in about ? { photoId: { $in: [...about.photoIds] } } : about;
      await em.nativeDelete(EventEntity, where);
    },

    /** A session has ended: its activity is nobody's, while the restorations of an account keep their log. */
    async endSession(em: EntityManager, sessionId: string): Promise<void> {
      await em.nativeDelete(EventEntity, { sessionId, restorationId: null });
      await em.nativeUpdate(EventEntity, { sessionId }, { sessionId: null });
    },
  };
}

export type Events = ReturnType<typeof createEvents>;
