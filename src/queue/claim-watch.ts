import type { Log } from '../log.ts';
import type { JobRows } from './rows.ts';
import type { RunningJob } from './running.ts';

/** Compares what runs with its rows, and stops what is not this process's any more; looks only while something runs. */
export interface ClaimWatch {
  start(): void;
  stop(): void;
}

/**
 * The second line behind the lock of the data folder: a late writer loses by its fence anyway, and stops earlier by this.
 * The timer runs on the monotonic clock.
 *
 * @param deps.running what runs now.
 */
export function createClaimWatch(deps: {
  rows: JobRows;
  log: Log;
  everyMs: number;
  running: () => RunningJob[];
}): ClaimWatch {
  let timer: NodeJS.Timeout | undefined;
  let looking = false;

  async function look(): Promise<void> {
    const held = deps.running().filter((job) => !job.settling);
    if (looking || held.length === 0) return;
    looking = true;
    try {
      const lost = new Set(await deps.rows.lost(held));
      for (const job of held) {
        if (!lost.has(job.id) || job.settling) continue;
        deps.log.warn({ job: job.kind, refId: job.refId }, 'lost the claim of a job');
        job.stop('claim-lost');
      }
    } catch (err) {
      deps.log.error({ err }, 'could not look after what runs');
    } finally {
      looking = false;
    }
  }

  return {
    start() {
      timer ??= setInterval(() => void look(), deps.everyMs);
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
    },
  };
}
