import { UniqueConstraintViolationException, type EntityManager } from '@mikro-orm/sqlite';
import type { Config } from '../config.ts';
import type { ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { rowById, selectRows } from '../db/rows.ts';
import { AppError } from '../errors.ts';
import type { Attempts } from './attempts.ts';
import { checkPassword, checkUsername, foldUsername } from './credentials.ts';
import { UserEntity, type User } from './entity.ts';
import type { Identities } from './identities.ts';
import type { Passwords } from './passwords.ts';
import { requireUser, unauthenticated } from './require.ts';
import { findOwnSession, type AuthResult, type Sessions } from './sessions.ts';

/** Characters of a user name that are looked at; no name is that long, and a limit's key must not be a megabyte. */
const USERNAME_READ = 256;

interface Client {
  /** What the client calls itself, shown in the list of sessions. */
  readonly userAgent?: string | null;
}

export interface Credentials extends Client {
  readonly username: string;
  readonly password: string;
}

/** Runs a write that may meet a user name in use. @throws AppError CONFLICT */
export async function unlessTaken<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof UniqueConstraintViolationException)) throw error;
    throw new AppError('CONFLICT', 'This user name is taken. Choose another one.', { field: 'input.username' });
  }
}

/** Ways to get a token. */
export function createSignIn(deps: {
  attempts: Attempts;
  config: Pick<Config, 'allowGuests' | 'allowRegistration'>;
  identities: Identities;
  now: () => number;
  passwords: Passwords;
  sessions: Sessions;
}) {
  const { attempts, config, identities, passwords, sessions } = deps;
  const blank = (): User => ({
    id: newId(),
    createdAt: new Date(deps.now()),
    username: null,
    passwordHash: null,
    role: 'USER',
    disabledAt: null,
  });

  async function begin(em: EntityManager, user: User, { userAgent = null }: Client) {
    return { user, session: await sessions.begin(em, user.id, userAgent) };
  }

  return {
    /**
     * @throws AppError UNAUTHENTICATED, the same for an unknown user, a wrong password and a disabled user, in code,
     *   message and time; RATE_LIMITED.
     */
    async login(ctx: ServiceContext, input: Credentials): Promise<AuthResult> {
      const username = foldUsername(input.username.slice(0, USERNAME_READ));
      const read = async (em: EntityManager): Promise<User | undefined> =>
        (await selectRows(em, UserEntity, 'where t.username = ?', [username]))[0];
      const user = await read(ctx.em);
      const right = await attempts.password(ctx, username, async () => {
        const matches = await passwords.verify(input.password, user?.passwordHash ?? null, ctx.signal);
        return matches && user?.disabledAt === null;
      });
      const begun = await ctx.em.transactional(async (em) => {
        // Read again: while the password was compared it may have been changed, or the user disabled.
        const still = right ? await read(em) : undefined;
        const good = still !== undefined && still.disabledAt === null && still.passwordHash === user?.passwordHash;
        return good ? begin(em, still, input) : null;
      });
      if (begun === null) throw new AppError('UNAUTHENTICATED', 'The user name or the password is not right.');
      return sessions.authResult(begun.session, begun.user);
    },

    /** A new guest. @throws AppError FORBIDDEN where guests are not allowed, RATE_LIMITED. */
    async startGuestSession(ctx: ServiceContext, input: Client = {}): Promise<AuthResult> {
      if (!config.allowGuests) throw new AppError('FORBIDDEN', 'Guests are not allowed here. Sign in to an account.');
      await attempts.signUp(ctx);
      const user = blank();
      const { session } = await ctx.em.transactional(async (em) => {
        await em.insert(UserEntity, user);
        return begin(em, user, input);
      });
      return sessions.authResult(session, user);
    },

    /**
     * A new account with a new session. A guest becomes the account and keeps the photos; the guest's session goes on
     * beside the new one, so that what runs and is followed in it is not cut off.
     *
     * @throws AppError FORBIDDEN where registration is off, BAD_USER_INPUT, CONFLICT for a name in use or when already
     *   signed in to an account, RATE_LIMITED.
     */
    async register(ctx: ServiceContext, input: Credentials): Promise<AuthResult> {
      if (!config.allowRegistration) {
        throw new AppError('FORBIDDEN', 'Accounts are made by the administrators here. Ask one of them.');
      }
      const username = checkUsername(input.username);
      checkPassword(input.password, 'input.password');
      const guest = ctx.actor.kind === 'user' ? ctx.actor : null;
      const already = new AppError('CONFLICT', 'You are signed in to an account. Sign out to register another one.');
      if (guest?.guest === false) throw already;
      await attempts.signUp(ctx);
      const passwordHash = await passwords.hash(input.password, ctx.signal);

      const { session, user } = await unlessTaken(() =>
        ctx.em.transactional(async (em) => {
          if (guest === null) {
            const fresh = { ...blank(), username, passwordHash };
            await em.insert(UserEntity, fresh);
            return begin(em, fresh, input);
          }
          const stillGuest = { id: guest.userId, passwordHash: null, disabledAt: null };
          const changed = await em.nativeUpdate(UserEntity, stillGuest, { username, passwordHash });
          const account = await rowById(em, UserEntity, guest.userId);
          if (changed === 0 || account === undefined) throw already;
          return begin(em, account, input);
        }),
      );
      if (guest !== null) identities.refresh(guest.sessionId);
      return sessions.authResult(session, user);
    },

    /** A new token for the session of this request; the old one stays good until it expires. */
    async refreshSession(ctx: ServiceContext): Promise<AuthResult> {
      const { sessionId, userId } = requireUser(ctx);
      const session = await findOwnSession(ctx, sessionId);
      const user = await rowById(ctx.em, UserEntity, userId);
      if (session === null || user === undefined || user.disabledAt !== null) throw unauthenticated();
      return sessions.authResult(session, user);
    },
  };
}
