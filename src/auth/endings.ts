import type { Owned, ServiceContext } from '../db/context.ts';
import { selectRows } from '../db/rows.ts';
import { SessionEntity, UserEntity, type Session } from './entity.ts';
import type { Identities } from './identities.ts';

export interface EndingsDeps {
  identities: Identities;
  /** Cancels what runs for a user and removes photos, restorations and their files; the rows of the user come after. */
  eraseUserData(ctx: ServiceContext, userId: string): Promise<void>;
  /** Removes what belongs to a session and not to its user, such as its log of events. */
  eraseSessionData(ctx: ServiceContext, sessionId: string): Promise<void>;
  /** Called once a session no longer counts, so that its sockets are closed. */
  onSessionEnded(sessionId: string): void;
  now: () => number;
}

/** How sessions and users go. */
export function createEndings(deps: EndingsDeps) {
  const { identities } = deps;

  return {
    /** Ends one session; the photos of its user stay. */
    async endSession(ctx: ServiceContext, session: Owned<Session>): Promise<void> {
      identities.forget(session.id);
      await deps.eraseSessionData(ctx, session.id);
      await ctx.em.nativeDelete(SessionEntity, { id: session.id });
      deps.onSessionEnded(session.id);
    },

    /**
     * Removes a user with everything. The user is locked out and made nameless first: where the process ends half-way,
     * the next clean-up finds such users and goes on.
     *
     * @param onlyGuest leaves a guest alone who has become an account in the meantime.
     * @returns false when there was nobody to remove.
     */
    async eraseUser(
      ctx: ServiceContext,
      userId: string,
      { onlyGuest = false }: { onlyGuest?: boolean } = {},
    ): Promise<boolean> {
      const locked = await ctx.em.nativeUpdate(
        UserEntity,
        onlyGuest ? { id: userId, passwordHash: null } : { id: userId },
        { username: null, passwordHash: null, disabledAt: new Date(deps.now()) },
      );
      if (locked === 0) return false;
      const sessions = await selectRows(ctx.em, SessionEntity, 'where t.user_id = ?', [userId]);
      for (const { id } of sessions) {
        identities.forget(id);
        deps.onSessionEnded(id);
      }
      await deps.eraseUserData(ctx, userId);
      for (const { id } of sessions) await deps.eraseSessionData(ctx, id);
      await ctx.em.nativeDelete(UserEntity, { id: userId });
      return true;
    },
  };
}

export type Endings = ReturnType<typeof createEndings>;
