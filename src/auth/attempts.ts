import type { ServiceContext } from '../db/context.ts';
import { AppError } from '../errors.ts';
import { spend, type Budget, type Limiter } from '../limits/limiter.ts';
import { clientOf } from './address.ts';

/** So many clients must be wrong about a user name before it is locked for all. */
const CLIENTS = 10;
/** New guests and accounts a minute and client; far above what people behind one address do. */
const SIGN_UPS_PER_MINUTE = 60;

export interface Attempts {
  /**
   * Runs a comparison of a password. Only a wrong password uses up the budgets of the user name and of the client, but
   * each is paid for before it is compared, so that many at once are no way round.
   *
   * @param compare answers whether the password was right.
   * @throws AppError RATE_LIMITED with `retryAfter`.
   */
  password(ctx: ServiceContext, username: string, compare: () => Promise<boolean>): Promise<boolean>;
  /** Counts a new guest or account. @throws AppError RATE_LIMITED */
  signUp(ctx: ServiceContext): Promise<void>;
}

/**
 * @param perMinute wrong passwords per minute and client, for whatever names; 0 = no limit. A user name has ten times as
 *   many, from all clients together: one stranger locks out nobody, and many together cannot guess for long.
 * @param limitSignUps whether new guests and accounts are limited as well.
 */
export function createAttempts(deps: { limiter: Limiter; perMinute: number; limitSignUps: boolean }): Attempts {
  const { limiter, perMinute, limitSignUps } = deps;
  const byUsername: Budget = { name: 'login-username', points: perMinute * CLIENTS, seconds: 60 };
  const byClient: Budget = { name: 'login-client', points: perMinute, seconds: 60 };
  const signUps: Budget = { name: 'sign-up', points: limitSignUps ? SIGN_UPS_PER_MINUTE : 0, seconds: 60 };

  const take = (budget: Budget, key: string, what: string): Promise<void> =>
    spend(limiter, budget, key, (seconds) => `${what} Try again in ${seconds} seconds.`);

  return {
    async password(ctx, username, compare) {
      const client = clientOf(ctx.actor);
      await take(byClient, client, 'Too many failed sign-ins.');
      await take(byUsername, username, 'Too many failed sign-ins.');
      const giveBack = (): Promise<unknown> =>
        Promise.all([limiter.reward(byClient, client), limiter.reward(byUsername, username)]);
      try {
        const right = await compare();
        if (right) await giveBack();
        return right;
      } catch (error) {
        // Too many in the line: nothing was compared. An abort is not given back, or it would make guesses free.
        if (error instanceof AppError) await giveBack();
        throw error;
      }
    },
    signUp: (ctx) => take(signUps, clientOf(ctx.actor), 'Too many new guests and accounts from this address.'),
  };
}
