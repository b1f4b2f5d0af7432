import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { Budget, Limiter } from './limiter.ts';

/**
 * A limiter that counts in this process, in windows that begin with the first point taken. Starts from zero with each
 * start of the process. A refusal costs nothing.
 */
export function createMemoryLimiter(): Limiter {
  const windows = new Map<string, RateLimiterMemory>();

  function windowOf({ name, points, seconds }: Budget): RateLimiterMemory {
    const id = `${name}:${points}:${seconds}`;
    let window = windows.get(id);
    if (window === undefined) {
      window = new RateLimiterMemory({ keyPrefix: name, points, duration: seconds });
      windows.set(id, window);
    }
    return window;
  }

  return {
    async take(budget, key, points = 1) {
      if (budget.points === 0) return { ok: true, remaining: Infinity };
      const window = windowOf(budget);
      try {
        const { remainingPoints } = await window.consume(key, points);
        return { ok: true, remaining: remainingPoints };
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal;
        // The library counts what it refuses; a big request that is refused must not use up what is left for small ones.
        await window.reward(key, points);
        return { ok: false, retryAfter: Math.max(1, Math.ceil(refusal.msBeforeNext / 1000)) };
      }
    },

    async reward(budget, key, points = 1) {
      if (budget.points === 0) return;
      const window = windowOf(budget);
      const consumed = (await window.get(key))?.consumedPoints ?? 0;
      // Never below zero: giving back after the window has ended would be a credit for the next one.
      if (consumed > 0) await window.reward(key, Math.min(points, consumed));
    },
  };
}
