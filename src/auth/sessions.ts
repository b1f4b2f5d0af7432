import type { Owned, ServiceContext } from '../db/context.ts';
import { isId, newId } from '../db/ids.ts';
import { selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Endings } from './endings.ts';
import { SessionEntity, type Session, type User } from './entity.ts';
import { requireUser } from './require.ts';
import type { TokenIssuer } from './tokens.ts';

/** A session as its owner sees it. */
export interface SessionView extends Session {
  /** The one that the token of this request, or of this answer, is for. */
  readonly current: boolean;
}

/** What a client gets when it signs in. */
export interface AuthResult {
  readonly token: string;
  readonly expiresAt: Date;
  readonly session: SessionView;
  readonly user: User;
}

const LISTED = 100;
const USER_AGENT_MAX = 256;

const own = (session: Session): Owned<Session> => session as Owned<Session>;

const view = (ctx: ServiceContext, session: Session): SessionView => ({
  ...session,
  current: ctx.actor.kind === 'user' && ctx.actor.sessionId === session.id,
});

/** The session when it is the actor's own; otherwise null. */
export async function findOwnSession(ctx: ServiceContext, id: string): Promise<Owned<Session> | null> {
  if (ctx.actor.kind !== 'user' || !isId(id)) return null;
  const [session] = await selectRows(ctx.em, SessionEntity, 'where t.id = ? and t.user_id = ?', [id, ctx.actor.userId]);
  return session === undefined ? null : own(session);
}

/** All sessions of a user; the caller has checked that the actor may act for that user. */
export async function allSessionsOf(ctx: ServiceContext, userId: string): Promise<Owned<Session>[]> {
  return (await selectRows(ctx.em, SessionEntity, 'where t.user_id = ?', [userId])).map(own);
}

/** Begins, lists and ends sessions. */
export function createSessions(deps: { tokens: TokenIssuer; endings: Endings; now: () => number }) {
  const { tokens, endings, now } = deps;

  /** The token of a session, with what a client wants to know beside it. */
  async function authResult(session: Session, user: User): Promise<AuthResult> {
    const guest = user.passwordHash === null;
    const issued = await tokens.issue({ userId: user.id, sessionId: session.id, role: user.role, guest });
    return { ...issued, session: { ...session, current: true }, user };
  }

  async function end(ctx: ServiceContext, session: Owned<Session>): Promise<void> {
    if (requireUser(ctx).guest && (await endings.eraseUser(ctx, session.userId, { onlyGuest: true }))) return;
    await endings.endSession(ctx, session);
  }

  return {
    authResult,

    /** A new session, in the transaction of `em`. */
    async begin(em: ServiceContext['em'], userId: string, userAgent: string | null): Promise<Session> {
      const at = new Date(now());
      const cut = userAgent?.slice(0, USER_AGENT_MAX) ?? null;
      const session: Session = { id: newId(), createdAt: at, userId, lastAccessedAt: at, userAgent: cut };
      await em.insert(SessionEntity, session);
      return session;
    },

    /** The actor's sessions, newest first; the newest hundred. @throws AppError UNAUTHENTICATED */
    async list(ctx: ServiceContext): Promise<SessionView[]> {
      const { userId } = requireUser(ctx);
      const tail = `where t.user_id = ? order by t.id desc limit ${LISTED}`;
      return (await selectRows(ctx.em, SessionEntity, tail, [userId])).map((session) => view(ctx, session));
    },

    /** The actor's session of this id, or null. */
    async find(ctx: ServiceContext, id: string): Promise<SessionView | null> {
      const session = await findOwnSession(ctx, id);
      return session === null ? null : view(ctx, session);
    },

    /**
     * Ends the session of this request; a guest goes with it, photos and all.
     *
     * @returns the id of the session. @throws AppError UNAUTHENTICATED
     */
    async logout(ctx: ServiceContext): Promise<string> {
      const { sessionId } = requireUser(ctx);
      const session = await findOwnSession(ctx, sessionId);
      if (session !== null) await end(ctx, session);
      return sessionId;
    },

    /**
     * Ends one of the actor's sessions; a guest goes with it, photos and all.
     *
     * @throws AppError UNAUTHENTICATED, or NOT_FOUND also for somebody else's.
     */
    async remove(ctx: ServiceContext, sessionId: string): Promise<string> {
      requireUser(ctx);
      const session = await findOwnSession(ctx, sessionId);
      if (session === null) throw new AppError('NOT_FOUND', 'You have no such session.', { field: 'input.sessionId' });
      await end(ctx, session);
      return session.id;
    },
  };
}

export type Sessions = ReturnType<typeof createSessions>;
