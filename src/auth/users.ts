import type { Role, ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import { checkPassword, checkUsername, foldUsername } from './credentials.ts';
import type { Endings } from './endings.ts';
import { UserEntity, type User } from './entity.ts';
import type { Passwords } from './passwords.ts';
import { requireAdmin } from './require.ts';
import { allSessionsOf } from './sessions.ts';
import { unlessTaken } from './sign-in.ts';

async function find(ctx: ServiceContext, username: string): Promise<User> {
  const [user] = await selectRows(ctx.em, UserEntity, 'where t.username = ?', [foldUsername(username)]);
  if (user === undefined) throw new AppError('NOT_FOUND', `There is no user ${username}.`, { field: 'input.username' });
  return user;
}

/** What administrators and the command line do with accounts, by user name. */
export function createUsers(deps: { endings: Endings; passwords: Passwords; now: () => number }) {
  const { endings, passwords } = deps;

  async function endAllSessions(ctx: ServiceContext, user: User): Promise<void> {
    for (const session of await allSessionsOf(ctx, user.id)) await endings.endSession(ctx, session);
  }

  async function add(ctx: ServiceContext, input: { username: string; password: string; role?: Role }): Promise<User> {
    requireAdmin(ctx);
    const username = checkUsername(input.username);
    checkPassword(input.password, 'input.password');
    const user: User = {
      id: newId(),
      createdAt: new Date(deps.now()),
      username,
      passwordHash: await passwords.hash(input.password, ctx.signal),
      role: input.role ?? 'USER',
      disabledAt: null,
    };
    await unlessTaken(() => ctx.em.insert(UserEntity, user));
    return user;
  }

  return {
    /** @throws AppError FORBIDDEN, BAD_USER_INPUT, CONFLICT for a name in use. */
    add,

    /** Every account, by name; guests are not listed. @throws AppError FORBIDDEN */
    async list(ctx: ServiceContext): Promise<User[]> {
      requireAdmin(ctx);
      return selectRows(ctx.em, UserEntity, 'where t.username is not null order by t.username');
    },

    /** Sets a password and ends all sessions of the user. @throws AppError FORBIDDEN, NOT_FOUND, BAD_USER_INPUT */
    async setPassword(ctx: ServiceContext, input: { username: string; password: string }): Promise<User> {
      requireAdmin(ctx);
      const user = await find(ctx, input.username);
      checkPassword(input.password, 'input.password');
      const passwordHash = await passwords.hash(input.password, ctx.signal);
      await ctx.em.nativeUpdate(UserEntity, { id: user.id }, { passwordHash });
      await endAllSessions(ctx, user);
      return { ...user, passwordHash };
    },

    /** Keeps a user out, with the photos kept; all sessions end. @throws AppError FORBIDDEN, NOT_FOUND */
    async disable(ctx: ServiceContext, input: { username: string }): Promise<User> {
      requireAdmin(ctx);
      const user = await find(ctx, input.username);
      const disabledAt = user.disabledAt ?? new Date(deps.now());
      await ctx.em.nativeUpdate(UserEntity, { id: user.id }, { disabledAt });
      await endAllSessions(ctx, user);
      return { ...user, disabledAt };
    },

    /** Lets a disabled user in again. @throws AppError FORBIDDEN, NOT_FOUND */
    async enable(ctx: ServiceContext, input: { username: string }): Promise<User> {
      requireAdmin(ctx);
      const user = await find(ctx, input.username);
      await ctx.em.nativeUpdate(UserEntity, { id: user.id }, { disabledAt: null });
      return { ...user, disabledAt: null };
    },

    /** Removes a user with all photos and files. @throws AppError FORBIDDEN, NOT_FOUND */
    async remove(ctx: ServiceContext, input: { username: string }): Promise<User> {
      requireAdmin(ctx);
      const user = await find(ctx, input.username);
      await endings.eraseUser(ctx, user.id);
      return user;
    },

    /**
     * Creates the administrator of the configuration where no user has the name; one who is there is left as is, so that
     * a password changed since is not set back.
     *
     * @returns whether it was created. @throws AppError BAD_USER_INPUT for a name or password that cannot be.
     */
    async ensureAdmin(ctx: ServiceContext, input: { username: string; password: string }): Promise<boolean> {
      requireAdmin(ctx);
      const username = checkUsername(input.username);
      const [known] = await selectRows(ctx.em, UserEntity, 'where t.username = ?', [username]);
      if (known !== undefined) return false;
      await add(ctx, { ...input, role: 'ADMIN' });
      return true;
    },
  };
}
