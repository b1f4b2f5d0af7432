import type { Log } from '../log.ts';
import type { JobRows } from './rows.ts';
import type { RunningJob } from './running.ts';

/** Renews the leases of what runs; beats only while something does. */
export interface Heartbeat {
  start(): void;
  stop(): void;
}

/**
 * The timer runs on the monotonic clock, so a wall clock that jumps neither ends a lease early nor keeps it for ever.
 *
 * @param deps.running what runs now.
 * @param deps.until the end of a lease that is renewed now, ms since the epoch.
 */
export function createHeartbeat(deps: {
  rows: JobRows;
  log: Log;
  everyMs: number;
  running: () => RunningJob[];
  until: () => number;
}): Heartbeat {
  let timer: NodeJS.Timeout | undefined;
  let beating = false;

  async function beat(): Promise<void> {
    const held = deps.running().filter((job) => !job.settling);
    if (beating || held.length === 0) return;
    beating = true;
    try {
      const lost = new Set(await deps.rows.renew(held, deps.until()));
      for (const job of held) {
        if (!lost.has(job.id) || job.settling) continue;
        deps.log.warn({ job: job.kind, refId: job.refId }, 'lost the lease of a job');
        job.stop('lease-lost');
      }
    } catch (err) {
      deps.log.error({ err }, 'could not renew leases');
    } finally {
      beating = false;
    }
  }

  return {
    start() {
      timer ??= setInterval(() => void beat(), deps.everyMs);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
