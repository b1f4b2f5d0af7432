import type { Log } from '../log.ts';
import type { JobHandler, Outcome, StopReason } from './queue.ts';
import type { JobRow, JobRows } from './rows.ts';

/** A claim under way in this process. */
export interface RunningJob extends JobRow {
  readonly signal: AbortSignal;
  /** The run has returned and its row is being written: no claim to lose any more. */
  readonly settling: boolean;
  /** Resolves when the run has ended and its row says so; never rejects. */
  readonly settled: Promise<Settlement>;
  stop(reason: StopReason): void;
}

export type Settlement =
  /** The row is gone. */
  | { kind: 'done' }
  /** The row waits again, until `at` (ms since the epoch). */
  | { kind: 'waits'; at: number }
  /** The row is no longer this claim's: it was added again, taken over or taken away. */
  | { kind: 'late' };

/** Pauses between tries to write down how a run ended, in ms, for a database that fails for a while. */
const PAUSES_MS = [100, 500, 2000, 10_000];

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function settle(rows: JobRows, job: JobRow, outcome: Outcome | 'put back'): Promise<Settlement> {
  if (outcome === 'put back') return (await rows.putBack(job)) ? { kind: 'waits', at: 0 } : { kind: 'late' };
  if (outcome.done) return { kind: (await rows.finish(job)) ? 'done' : 'late' };
  const at = outcome.retryAt.getTime();
  return (await rows.putBack(job, at)) ? { kind: 'waits', at } : { kind: 'late' };
}

/**
 * Starts the handler on a claimed row and writes down how it ended.
 *
 * @param deps.closed true once rows must not be written any more.
 */
export function startRun(
  deps: { rows: JobRows; log: Log; handler: JobHandler; closed: () => boolean },
  row: JobRow,
): RunningJob {
  const { rows, handler } = deps;
  const log = deps.log.child({ job: row.kind, refId: row.refId, fence: row.fence });
  const controller = new AbortController();
  const { signal } = controller;
  let cancelled = false;
  let settling = false;

  async function outcomeOfRun(): Promise<Outcome | 'put back'> {
    try {
      const { refId, groupId, fence, crashes } = row;
      return await handler.run({ refId, groupId, fence, crashes, signal });
    } catch (err) {
      if (signal.aborted && signal.reason === 'shutdown') return 'put back';
      if (!signal.aborted) log.error({ err }, 'a job handler threw; the job is dropped');
      return { done: true };
    }
  }

  async function work(): Promise<Settlement> {
    const outcome = await outcomeOfRun();
    settling = true;
    for (const ms of [...PAUSES_MS, null]) {
      if (deps.closed()) break;
      try {
        return await settle(rows, row, cancelled ? { done: true } : outcome);
      } catch (err) {
        log.error({ err }, 'could not write down how a job ended');
        if (ms !== null) await pause(ms);
      }
    }
    return { kind: 'late' };
  }

  const settled = work();
  return {
    ...row,
    signal,
    settled,
    get settling() {
      return settling;
    },
    stop(reason) {
      // Whatever stopped it first, a job that was cancelled must not come back.
      if (reason === 'cancelled') cancelled = true;
      controller.abort(reason);
    },
  };
}
