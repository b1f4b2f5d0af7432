import type { EntityManager } from '@mikro-orm/sqlite';
import type { Owned, ServiceContext } from '../db/context.ts';
import { rowById, selectRows } from '../db/rows.ts';
import type { Log } from '../log.ts';
import type { Endings } from './endings.ts';
import { SessionEntity, UserEntity, type Session } from './entity.ts';
import { requireAdmin } from './require.ts';

export interface EndedIdle {
  /** Guests removed with everything of theirs. */
  readonly guests: number;
  /** Sessions of accounts ended. */
  readonly sessions: number;
  /** How many could not be ended; the log says why, and the next clean-up tries again. */
  readonly failed: number;
}

const PAGE = 500;

/** A user without name, password and session, or one locked out, is what a removal leaves that did not finish. */
const LEFTOVERS = `where t.username is null and t.password_hash is null and (t.disabled_at is not null or not exists (
  select 1 from session s where s.user_id = t.id))`;

/** What `endIdleSessions` would end: the guests, and the sessions of accounts. */
export async function findIdle(
  em: EntityManager,
  input: { idleHours: number; asOf: number },
): Promise<{ guests: string[]; sessions: string[] }> {
  const leftovers = await selectRows(em, UserEntity, LEFTOVERS);
  const idle =
    input.idleHours === 0
      ? []
      : await em.execute<{ id: string; userId: string; guest: number }[]>(
          `select s.id, s.user_id as userId, u.password_hash is null as guest
            from session s join user u on u.id = s.user_id where s.last_accessed_at < ?`,
          [input.asOf - input.idleHours * 3_600_000],
        );
  const guests = idle.filter(({ guest }) => guest === 1).map(({ userId }) => userId);
  return {
    guests: [...new Set([...leftovers.map(({ id }) => id), ...guests])],
    sessions: idle.filter(({ guest }) => guest === 0).map(({ id }) => id),
  };
}

/** Ends what nobody uses any more. */
export function createIdle(deps: { endings: Endings; now: () => number; log: Log }) {
  const { endings, now, log } = deps;

  async function endIfIdle(
    ctx: ServiceContext,
    sessionId: string,
    idleSince: Date,
    done: { guests: number; sessions: number },
  ): Promise<void> {
    // Removing those before it may have taken minutes, in which it was used again.
    const session = await rowById(ctx.em, SessionEntity, sessionId);
    if (session === undefined || session.lastAccessedAt >= idleSince) return;
    if (await endings.eraseUser(ctx, session.userId, { onlyGuest: true })) {
      done.guests += 1;
    } else {
      await endings.endSession(ctx, session as Owned<Session>);
      done.sessions += 1;
    }
  }

  return {
    /**
     * Ends the sessions that were not used for so long: a guest goes with photos and files, of an account the session
     * only. Finishes removals that a crash left half-way, too.
     *
     * @param input.idleHours 0 = leaves all sessions.
     * @param input.asOf ms since 1970; default now.
     * @throws AppError FORBIDDEN; the reason of `ctx.signal` when it aborts.
     */
    async endIdleSessions(ctx: ServiceContext, input: { idleHours: number; asOf?: number }): Promise<EndedIdle> {
      const { idleHours, asOf = now() } = input;
      requireAdmin(ctx);
      const done = { guests: 0, sessions: 0, failed: 0 };
      const attempt = async (what: object, end: () => Promise<void>): Promise<boolean> => {
        ctx.signal.throwIfAborted();
        try {
          await end();
          return true;
        } catch (err) {
          ctx.signal.throwIfAborted();
          done.failed += 1;
          log.error({ err, ...what }, 'could not end an idle session');
          return false;
        }
      };

      const leftovers = await selectRows(ctx.em, UserEntity, LEFTOVERS);
      for (const { id: userId } of leftovers) {
        await attempt({ userId }, async () => {
          if (await endings.eraseUser(ctx, userId, { onlyGuest: true })) done.guests += 1;
        });
      }

      if (idleHours === 0) return done;
      const idleSince = new Date(asOf - idleHours * 3_600_000);
      for (let stuck = 0, more = true; more;) {
        // What was ended is no longer found; what failed stays in front and is skipped.
        const idle = await ctx.em.find(
          SessionEntity,
          { lastAccessedAt: { $lt: idleSince } },
          { orderBy: { lastAccessedAt: 'asc' }, limit: PAGE, offset: stuck, disableIdentityMap: true },
        );
        for (const { id: sessionId } of idle) {
          const ended = await attempt({ sessionId }, () => endIfIdle(ctx, sessionId, idleSince, done));
          if (!ended) stuck += 1;
        }
        more = idle.length === PAGE;
      }
      return done;
    },
  };
}
