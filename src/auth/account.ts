import type { ServiceContext } from '../db/context.ts';
import { isId } from '../db/ids.ts';
import { rowById } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Attempts } from './attempts.ts';
import { checkPassword } from './credentials.ts';
import type { Endings } from './endings.ts';
import { UserEntity, type User } from './entity.ts';
import type { Passwords } from './passwords.ts';
import { requireUser, unauthenticated } from './require.ts';
import { allSessionsOf } from './sessions.ts';

async function self(ctx: ServiceContext): Promise<User> {
  const user = await rowById(ctx.em, UserEntity, requireUser(ctx).userId);
  if (user === undefined) throw unauthenticated();
  return user;
}

/** What people do with their own account. */
export function createAccount(deps: { attempts: Attempts; endings: Endings; passwords: Passwords }) {
  const { attempts, endings, passwords } = deps;

  /** Not UNAUTHENTICATED: the token is good, and clients sign out on that code. */
  async function confirm(ctx: ServiceContext, user: User, password: string, field: string): Promise<void> {
    const right = await attempts.password(ctx, user.username ?? user.id, () =>
      passwords.verify(password, user.passwordHash, ctx.signal),
    );
    if (!right) throw new AppError('FORBIDDEN', 'The password is not right.', { field });
  }

  return {
    /** Oneself, or anybody for an administrator; null otherwise. */
    async user(ctx: ServiceContext, id: string): Promise<User | null> {
      const { actor } = ctx;
      if (actor.kind === 'anonymous' || !isId(id)) return null;
      if (actor.kind === 'user' && actor.role !== 'ADMIN' && actor.userId !== id) return null;
      const user = await rowById(ctx.em, UserEntity, id);
      return user ?? null;
    },

    /**
     * Sets a new password and ends every other session.
     *
     * @returns how many sessions were ended.
     * @throws AppError UNAUTHENTICATED, FORBIDDEN for a wrong current password, BAD_USER_INPUT, RATE_LIMITED, CONFLICT
     *   for a guest.
     */
    async changePassword(
      ctx: ServiceContext,
      input: { currentPassword: string; newPassword: string },
    ): Promise<{ user: User; endedSessions: number }> {
      const { sessionId } = requireUser(ctx);
      const user = await self(ctx);
      if (user.passwordHash === null) throw new AppError('CONFLICT', 'Guests have no password. Register to get one.');
      checkPassword(input.newPassword, 'input.newPassword');
      await confirm(ctx, user, input.currentPassword, 'input.currentPassword');
      const passwordHash = await passwords.hash(input.newPassword, ctx.signal);
      const unchanged = { id: user.id, passwordHash: user.passwordHash };
      if ((await ctx.em.nativeUpdate(UserEntity, unchanged, { passwordHash })) === 0) {
        throw new AppError('CONFLICT', 'The password was changed elsewhere at the same time. Try again.');
      }
      const others = (await allSessionsOf(ctx, user.id)).filter((session) => session.id !== sessionId);
      for (const session of others) await endings.endSession(ctx, session);
      return { user: { ...user, passwordHash }, endedSessions: others.length };
    },

    /**
     * Removes the actor with all photos, restorations, files and sessions.
     *
     * @param input.password of the account; a guest has none.
     * @returns the id of the user.
     * @throws AppError UNAUTHENTICATED, FORBIDDEN for a wrong password, BAD_USER_INPUT when it is missing, RATE_LIMITED.
     */
    async deleteAccount(ctx: ServiceContext, input: { password?: string | null | undefined } = {}): Promise<string> {
      const user = await self(ctx);
      if (user.passwordHash !== null) {
        if (input.password === null || input.password === undefined) {
          throw new AppError('BAD_USER_INPUT', 'Give the password of the account to delete it.', {
            field: 'input.password',
          });
        }
        await confirm(ctx, user, input.password, 'input.password');
      }
      await endings.eraseUser(ctx, user.id);
      return user.id;
    },
  };
}
