import type { ServiceContext } from '../db/context.ts';
import type { Log } from '../log.ts';
import { retryDelaySeconds } from '../queue/backoff.ts';
import type { JobHandler } from '../queue/queue.ts';

/** Claims of one job: an error may pass, such as a full disk; a photo that cannot be drawn stays one. */
const MAX_CLAIMS = 5;
const SHORTEST_WAIT_SECONDS = 1;

/**
 * The queue's handler for photos that have come in: does one thing with them, one photo at a time.
 *
 * @param deps.what it makes, for the log.
 * @param deps.giveUp called after the last try, also where the work has ended the process too often.
 * @param deps.retryDelaySeconds wait after the first failure; for the next ones see `retryDelaySeconds`.
 */
export function createPreparer(deps: {
  what: string;
  work: (ctx: ServiceContext, photoId: string) => Promise<void>;
  giveUp?: (ctx: ServiceContext, photoId: string) => Promise<void>;
  systemContext: (signal: AbortSignal) => ServiceContext;
  log: Log;
  retryDelaySeconds: number;
  now: () => number;
}): JobHandler {
  const { what, log } = deps;
  return {
    concurrency: 1,
    concurrencyPerGroup: 1,

    async run({ refId, fence, signal }) {
      try {
        await deps.work(deps.systemContext(signal), refId);
        return { done: true };
      } catch (error) {
        if (signal.aborted) throw error;
        if (fence >= MAX_CLAIMS) {
          await deps.giveUp?.(deps.systemContext(signal), refId);
          throw error;
        }
        log.warn({ err: error, photoId: refId }, `could not make ${what} of a photo; it is tried again`);
        const seconds = Math.max(SHORTEST_WAIT_SECONDS, retryDelaySeconds(fence, deps.retryDelaySeconds, undefined));
        return { done: false, retryAt: new Date(deps.now() + seconds * 1000) };
      }
    },

    async abandon(refId) {
      log.error({ photoId: refId }, `making ${what} of a photo ended the process; given up`);
      await deps.giveUp?.(deps.systemContext(new AbortController().signal), refId);
    },
  };
}
