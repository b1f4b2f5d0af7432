import type { EntityManager } from '@mikro-orm/sqlite';

/** What a job is about: ids only, the truth stands in the rows they name. */
export interface NewJob {
  kind: string;
  refId: string;
  /** Who takes turns with others: the session. */
  groupId: string;
  /** Not started before; default at once. */
  notBefore?: Date;
}

/** One claim of a job. */
export interface Claim {
  readonly refId: string;
  readonly groupId: string;
  /** Number of this claim, from 1; goes up with every claim of the same job. */
  readonly fence: number;
  /** How often this job has ended the process so far. */
  readonly crashes: number;
  /**
   * Aborts when the job is removed, when somebody else has claimed it, or when the process has to stop; `reason` is a
   * {@link StopReason}.
   */
  readonly signal: AbortSignal;
}

export type StopReason = 'cancelled' | 'claim-lost' | 'shutdown';

/** Done, or to be tried again at a time. */
export type Outcome = { done: true } | { done: false; retryAt: Date };

export interface JobHandler {
  /** Jobs of this kind running at once over all groups. */
  concurrency: number;
  /** Jobs of this kind running at once in one group. */
  concurrencyPerGroup: number;
  /**
   * Does the work. What it throws is logged and counts as done: a handler writes its own failures. What it throws after
   * the signal has aborted with `shutdown` puts the job back.
   */
  run(claim: Claim): Promise<Outcome>;
  /** Called in place of `run` for a job that has ended the process `maxCrashes` times. */
  abandon(refId: string): Promise<void>;
  /** Called for each job found in the hands of a dead process, before anything runs. */
  reclaimed?(refId: string): Promise<void>;
}

export interface QueueStats {
  waiting: number;
  running: number;
  /** Seconds that the longest waiting job which may run has waited; 0 when none waits. */
  oldestSeconds: number;
  /** False when work waits, places are free, and nothing has been claimed for a while. */
  moving: boolean;
}

/**
 * Aborts what still works on jobs that were removed. Resolves when all of it has ended, or after `waitMs` (default 500);
 * a place is free only when the work has ended.
 */
export type StopWork = (waitMs?: number) => Promise<void>;

/**
 * Durable jobs. At least once: a handler must take a second delivery of the same job, and its writes must be fenced.
 * Groups take turns, so that one with a hundred jobs does not starve one with a single job.
 */
export interface Queue {
  /**
   * Writes the job in the caller's transaction. A job of the same kind and refId that waits already is kept as it is;
   * one that is running runs once more when it has ended, so that what was added just before its end is not lost.
   */
  add(em: EntityManager, job: NewJob): Promise<void>;
  /** To be called after the commit: starts what may run. */
  wake(): void;
  /**
   * Takes jobs out in the caller's transaction, whether they wait or run. What is added after its commit is a new job,
   * which neither this nor the answer touches.
   *
   * @returns to be called after the commit: ends the work on them that was under way.
   */
  remove(em: EntityManager, kind: string, refIds: readonly string[]): Promise<StopWork>;
  /** Registers the handlers, takes back what a dead process held, and starts to work. Once. */
  start(handlers: Record<string, JobHandler>): Promise<void>;
  stats(kind?: string): Promise<QueueStats>;
  /** Stops claiming, waits up to `graceMs` (default 20,000) for what runs, then aborts it and puts it back. */
  close(graceMs?: number): Promise<void>;
}
