import type { Log } from '../log.ts';
import type { JobHandler } from './queue.ts';
import type { JobRows } from './rows.ts';

/**
 * Takes back the jobs of processes that have died, each counted as one crash of that job. The handler hears of it
 * before the row changes: a second death in between only means that it hears of it again.
 */
export async function recover(deps: {
  rows: JobRows;
  log: Log;
  handlers: Record<string, JobHandler>;
  maxCrashes: number;
}): Promise<void> {
  const { rows, handlers, maxCrashes } = deps;
  for (const { id, kind, refId, crashes } of await rows.orphans()) {
    const log = deps.log.child({ job: kind, refId, crashes: crashes + 1 });
    const handler = handlers[kind];
    if (crashes + 1 < maxCrashes || handler === undefined) {
      try {
        await handler?.reclaimed?.(refId);
      } catch (err) {
        log.error({ err }, 'a handler failed to take a job back');
      }
      await rows.reclaim(id);
      log.warn('took back a job from a process that has died');
      continue;
    }
    try {
      await handler.abandon(refId);
      await rows.remove(id);
      log.error('gave up a job that has ended the process too often');
    } catch (err) {
      // The row stays with the dead process, so that the next start tries again.
      log.error({ err }, 'a handler failed to give up a job');
    }
  }
}
