import type { EntityManager } from '@mikro-orm/sqlite';
import type { Role } from '../db/context.ts';
import { readAll } from '../db/reader.ts';
import { chunksOf, rowById } from '../db/rows.ts';
import { createCache } from './cache.ts';
import { SessionEntity, UserEntity } from './entity.ts';

/** What a session stands for, as the database had it a moment ago. */
export interface Identity {
  readonly userId: string;
  readonly role: Role;
  readonly guest: boolean;
  readonly disabled: boolean;
  /** Milliseconds since 1970; moved on by whoever writes it. */
  lastAccessedAt: number;
}

export interface Identities {
  /** Null when the session has ended. */
  find(sessionId: string): Promise<Identity | null>;
  /** Those of these sessions that have ended or whose user is disabled, read now: another process may have done it. */
  ended(sessionIds: readonly string[]): Promise<string[]>;
  /** The next `find` reads again. */
  refresh(sessionId: string): void;
  /** The session has ended: from now on it is not found, whatever a read under way comes back with. */
  forget(sessionId: string): void;
}

/** How long another process (a second server, the command line) may be unheard. */
const FRESH_MS = 5_000;
/** Longer than any read of a row takes. */
const ENDED_MS = 60_000;
const KEPT = 10_000;

/** Looks sessions up, and remembers them for five seconds. */
export function createIdentities(deps: { fork: () => EntityManager; now: () => number }): Identities {
  const known = createCache<Identity>(KEPT, deps.now);
  const ended = createCache<true>(KEPT, deps.now);

  async function load(sessionId: string): Promise<Identity | null> {
    const em = deps.fork();
    const session = await rowById(em, SessionEntity, sessionId);
    if (session === undefined) return null;
    const user = await rowById(em, UserEntity, session.userId);
    if (user === undefined) return null;
    return {
      userId: user.id,
      role: user.role,
      guest: user.passwordHash === null,
      disabled: user.disabledAt !== null,
      lastAccessedAt: session.lastAccessedAt.getTime(),
    };
  }

  return {
    async find(sessionId) {
      const remembered = known.get(sessionId);
      if (remembered !== undefined) return remembered;
      const identity = await load(sessionId);
      if (identity === null || ended.get(sessionId) === true) return null;
      known.set(sessionId, identity, deps.now() + FRESH_MS);
      return identity;
    },
    async ended(sessionIds) {
      const good = new Set<string>();
      for (const ids of chunksOf(sessionIds)) {
        const rows = await readAll<{ id: string }>(
          deps.fork(),
          `select s.id from session s join user u on u.id = s.user_id
            where u.disabled_at is null and s.id in (${ids.map(() => '?').join(', ')})`,
          ids,
        );
        for (const { id } of rows) good.add(id);
      }
      return sessionIds.filter((id) => !good.has(id));
    },
    refresh: (sessionId) => known.delete(sessionId),
    forget(sessionId) {
      ended.set(sessionId, true, deps.now() + ENDED_MS);
      known.delete(sessionId);
    },
  };
}
