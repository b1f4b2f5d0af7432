import type { ExecutionArgs } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import { createSlots } from '../limits/slots.ts';
import { costOf } from './cost.ts';
import type { RequestFacts } from './server.ts';

/**
 * Bounds what the subscriptions of one user cost together. One event may have each of them answered, before anybody else
 * has a turn: ten thousand dear ones stopped the service for twenty seconds and filled 2 GB.
 *
 * @param limit sum of `costOf`.
 */
export function limitSubscriptions(limit: number): Plugin {
  const shares = createSlots({ max: limit });
  return {
    onSubscribe({ args }) {
      const { actor, address, signal } = args.contextValue as unknown as RequestFacts;
      const cost = costOf({ ...(args as ExecutionArgs), variables: args.variableValues });
      const release = shares.acquire(actor.kind === 'user' ? actor.userId : address, cost);
      if (release === null) {
        throw new AppError(
          'RATE_LIMITED',
          `Your open subscriptions would cost more than ${limit} together. Close some, or ask for fewer fields.`,
          { retryAfter: 1 },
        );
      }
      // Aborts however a subscription ends, over a WebSocket and as an event stream.
      signal.addEventListener('abort', release, { once: true });
      if (signal.aborted) release();
      return {
        onSubscribeResult({ result }) {
          if (!isAsyncIterable(result)) release();
        },
      };
    },
  };
}
