import type { ServiceContext } from '../db/context.ts';
import type { Log } from '../log.ts';
import { retryDelaySeconds } from '../queue/backoff.ts';
import type { JobHandler } from '../queue/queue.ts';
import type { Photos } from './service.ts';

/** Claims of one job: an error may pass, such as a full disk; a photo that cannot be drawn stays one. */
const MAX_CLAIMS = 5;
const SHORTEST_WAIT_SECONDS = 1;

/**
 * The queue's handler for photos that have come in: makes their renditions, one photo at a time.
 *
 * @param deps.retryDelaySeconds wait after the first failure; for the next ones see `retryDelaySeconds`.
 */
export function createPreparer(deps: {
  photos: Photos;
  systemContext: (signal: AbortSignal) => ServiceContext;
  log: Log;
  retryDelaySeconds: number;
  now: () => number;
}): JobHandler {
  const { photos, log } = deps;
  return {
    concurrency: 1,
    concurrencyPerGroup: 1,

    async run({ refId, fence, signal }) {
      try {
        await photos.prepare(deps.systemContext(signal), refId);
        return { done: true };
      } catch (error) {
        if (signal.aborted || fence >= MAX_CLAIMS) throw error;
        log.warn({ err: error, photoId: refId }, 'could not make the renditions of a photo; it is tried again');
        const seconds = Math.max(SHORTEST_WAIT_SECONDS, retryDelaySeconds(fence, deps.retryDelaySeconds, undefined));
        return { done: false, retryAt: new Date(deps.now() + seconds * 1000) };
      }
    },

    async abandon(refId) {
      log.error({ photoId: refId }, 'making renditions ended the process; given up');
    },
  };
}
