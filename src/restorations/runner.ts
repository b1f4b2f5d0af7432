import type { EntityManager } from '@mikro-orm/sqlite';
import { newId } from '../db/ids.ts';
import { rowById } from '../db/rows.ts';
import { AppError, toAppError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Models } from '../models/service.ts';
import { PhotoEntity } from '../photos/entity.ts';
import type { Renditions } from '../photos/renditions.ts';
import { retryDelaySeconds } from '../queue/backoff.ts';
import type { Claim, JobHandler, Outcome, StopReason } from '../queue/queue.ts';
import type { Attempt, Finished } from './attempt.ts';
import { RunEntity, type Restoration } from './entity.ts';
import { LostClaim, restorationById, type Change, type Journal } from './journal.ts';
import type { Masks } from './masks.ts';
import type { ProgressBoard } from './progress.ts';
import type { Results } from './result.ts';
import { allows, type Transition } from './states.ts';

const DONE: Outcome = { done: true };
/** Shortest wait after an error of our own, such as a full disk under the database. */
const SHORTEST_WAIT_MS = 1000;

interface RunnerDeps {
  attempt: Attempt;
  models: Models;
  journal: Journal;
  results: Results;
  renditions: Renditions;
  masks: Masks;
  progress: ProgressBoard;
  fork: () => EntityManager;
  log: Log;
  concurrency: number;
  concurrencyPerSession: number;
  /** Longest time for one try. */
  timeoutSeconds: number;
  retryDelaySeconds: number;
  now: () => number;
}

/** The queue's handler for restorations: claims the row, works, and writes how it ended. */
export function createRunner(deps: RunnerDeps): JobHandler {
  const { journal, results, renditions, fork } = deps;
  const time = (): Date => new Date(deps.now());

  function tell(written: Change): Restoration {
    journal.publish(written);
    const { id: restorationId, status, attempts: attempt, modelId, startedAt, finishedAt } = written.restoration;
    const ms = startedAt && finishedAt && finishedAt.getTime() - startedAt.getTime();
    deps.log.info({ restorationId, status, attempt, modelId, ...(ms === null ? {} : { ms }) }, 'restoration');
    return written.restoration;
  }

  async function write(change: (em: EntityManager) => Promise<Change>): Promise<Restoration> {
    return tell(await fork().transactional(change));
  }

  function claim(before: Restoration, fence: number): Promise<Restoration> {
    const provider = deps.models.byId(before.modelId)?.provider ?? 'none';
    const number = before.attempts + 1;
    const patch = {
      fence,
      attempts: number,
      triesLeft: before.triesLeft - 1,
      percent: 0,
      stage: null,
      startedAt: time(),
    };
    return write(async (em) => {
      const change = await journal.transition(em, before.id, 'claim', { fence, patch });
      const id = newId();
      await em.insert(RunEntity, {
        id,
        createdAt: time(),
        restorationId: before.id,
        number,
        provider,
        startedAt: time(),
        finishedAt: null,
        errorCode: null,
        errorMessage: null,
      });
      return change;
    });
  }

  /** How a try ended, on its run and on the restoration. */
  function end(
    running: Restoration,
    transition: Transition,
    patch: Partial<Restoration>,
    error: AppError | null,
  ): Promise<Restoration> {
    return write(async (em) => {
      const outcome = { finishedAt: time(), errorCode: error?.code ?? null, errorMessage: error?.message ?? null };
      await em.nativeUpdate(RunEntity, { restorationId: running.id, number: running.attempts }, outcome);
      return journal.transition(em, running.id, transition, { fence: running.fence, patch });
    });
  }

  async function succeed(running: Restoration, { stored, report }: Finished): Promise<void> {
    const patch = { ...stored.columns, report, percent: 100, stage: null, finishedAt: time() };
    let written: Change;
    try {
      written = await fork().transactional(async (em) => {
        await em.nativeUpdate(
          RunEntity,
          { restorationId: running.id, number: running.attempts },
          { finishedAt: time() },
        );
        const change = await journal.transition(em, running.id, 'succeed', { fence: running.fence, patch });
        await renditions.forget(em, [running.id]);
        await renditions.insert(em, stored.renditions);
        if (stored.mask !== undefined) await deps.masks.insert(em, running, stored.mask, false);
        return change;
      });
    } catch (error) {
      await results.drop(stored);
      throw error;
    }
    tell(written);
  }

  /** Where the try stands; it never goes back before the next one begins. */
  const percentOf = (running: Restoration): number => deps.progress.get(running.id)?.percent ?? running.percent;

  async function fail(running: Restoration, error: AppError): Promise<Outcome> {
    if (error.retryable && running.triesLeft > 0) {
      const seconds = retryDelaySeconds(running.attempts, deps.retryDelaySeconds, error.retryAfter);
      await end(running, 'postpone', { stage: null, percent: percentOf(running) }, error);
      return { done: false, retryAt: new Date(deps.now() + seconds * 1000) };
    }
    const percent = percentOf(running);
    const failure = {
      errorCode: error.code,
      errorMessage: error.message,
      errorRetryAfter: error.retryAfter ?? null,
      errorProvider: error.provider ?? null,
    };
    await end(running, 'fail', { ...failure, percent, stage: null, finishedAt: time() }, error);
    return DONE;
  }

  /** What an aborted try leaves behind depends on who aborted it. */
  async function stopped(running: Restoration, reason: StopReason): Promise<Outcome> {
    if (reason !== 'shutdown') {
      // The restoration has its end already, or is somebody else's now; this run has none yet.
      const run = { restorationId: running.id, number: running.attempts, finishedAt: null };
      await fork().nativeUpdate(RunEntity, run, { finishedAt: time() });
      return DONE;
    }
    // A stop that we chose costs the restoration no try.
    const error = new AppError('SHUTTING_DOWN', 'The service stopped while this ran; it goes on after the start.');
    await end(
      running,
      'release',
      { stage: null, percent: percentOf(running), triesLeft: running.triesLeft + 1 },
      error,
    );
    return { done: false, retryAt: time() };
  }

  /** Takes a restoration back from a worker that is no more. */
  function release(running: Restoration): Promise<Restoration> {
    const error = new AppError('WORKER_CRASH', 'The service ended while this ran.');
    // The crash counts as a try, but only the queue's own count of crashes gives a restoration up for them.
    return end(running, 'release', { stage: null, triesLeft: Math.max(1, running.triesLeft) }, error);
  }

  async function work(running: Restoration, signal: AbortSignal): Promise<Outcome> {
    const timeout = AbortSignal.timeout(deps.timeoutSeconds * 1000);
    try {
      const photo = await rowById(fork(), PhotoEntity, running.photoId);
      if (photo === undefined) return DONE;
      await succeed(running, await deps.attempt(running, photo, AbortSignal.any([signal, timeout])));
      return DONE;
    } catch (error) {
      if (error instanceof LostClaim) return stopped(running, 'claim-lost');
      if (signal.aborted) return stopped(running, signal.reason as StopReason);
      if (timeout.aborted) {
        const message = `The restoration took longer than ${deps.timeoutSeconds} seconds.`;
        return fail(running, new AppError('PROVIDER_TIMEOUT', message, { cause: error }));
      }
      const known = toAppError(error);
      deps.log.warn(
        { err: error, restorationId: running.id, attempt: running.attempts, code: known.code },
        'a try failed',
      );
      return fail(running, known);
    }
  }

  return {
    concurrency: deps.concurrency,
    concurrencyPerGroup: deps.concurrencyPerSession,

    async run({ refId, fence, signal }: Claim): Promise<Outcome> {
      try {
        const found = await restorationById(fork(), refId);
        // Its last try could not write down how it ended: that counts as one, like a crash.
        const before = found?.status === 'RUNNING' ? await release(found) : found;
        // Delivered twice, deleted or cancelled meanwhile: nothing is left to do.
        if (before === null || !allows('claim', before.status)) return DONE;
        return await work(await claim(before, fence), signal);
      } catch (error) {
        if (error instanceof LostClaim) return DONE;
        if (signal.aborted) throw error;
        deps.log.error({ err: error, restorationId: refId }, 'a try could not be written down; it is tried again');
        const wait = Math.max(SHORTEST_WAIT_MS, deps.retryDelaySeconds * 1000);
        return { done: false, retryAt: new Date(deps.now() + wait) };
      } finally {
        deps.progress.end(refId);
      }
    },

    async abandon(refId: string): Promise<void> {
      const before = await restorationById(fork(), refId);
      if (before === null || !allows('fail', before.status)) return;
      const error = new AppError(
        'WORKER_CRASH',
        'The work on this photo ended the service three times; it is not tried again.',
      );
      const patch = { errorCode: error.code, errorMessage: error.message, stage: null, finishedAt: time() };
      await end(before, 'fail', patch, error);
    },

    async reclaimed(refId: string): Promise<void> {
      const before = await restorationById(fork(), refId);
      if (before !== null && allows('release', before.status)) await release(before);
    },
  };
}
