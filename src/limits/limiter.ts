import { AppError } from '../errors.ts';

/** So many points in so many seconds. `points` 0 = no limit. */
export interface Budget {
  readonly name: string;
  readonly points: number;
  readonly seconds: number;
}

export type Taken = { ok: true; remaining: number } | { ok: false; retryAfter: number };

export interface Limiter {
  /** Takes `points` (default 1) out of the budget of `key`; a refusal says in how many seconds to come back. */
  take(budget: Budget, key: string, points?: number): Promise<Taken>;
  /** Gives points back, e.g. for a login that succeeded. */
  reward(budget: Budget, key: string, points?: number): Promise<void>;
}

/**
 * Takes one point, or refuses.
 *
 * @param message what the client is told; gets the seconds to wait.
 * @throws AppError RATE_LIMITED.
 */
export async function spend(
  limiter: Limiter,
  budget: Budget,
  key: string,
  message: (retryAfter: number) => string,
): Promise<void> {
  const taken = await limiter.take(budget, key);
  if (!taken.ok) throw new AppError('RATE_LIMITED', message(taken.retryAfter), { retryAfter: taken.retryAfter });
}
