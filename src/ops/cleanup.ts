import type { EntityManager } from '@mikro-orm/sqlite';
import type { Auth } from '../auth/service.ts';
import type { ServiceContext } from '../db/context.ts';
import type { Log } from '../log.ts';
import { SubmissionEntity } from '../restorations/entity.ts';
import { IDEMPOTENCY_MS } from '../restorations/submit.ts';
import type { Sweep, Swept } from './sweep.ts';

/** setInterval takes no more. */
const LONGEST_INTERVAL_MS = 2 ** 31 - 1;

export interface CleanedUp extends Swept {
  guests: number;
  sessions: number;
  failed: number;
  idempotencyKeys: number;
}

/** Ends what nobody uses any more, at start and every few hours. */
export function createCleanup(deps: {
  auth: Auth;
  sweep: Sweep;
  systemContext: (signal: AbortSignal) => ServiceContext;
  fork: () => EntityManager;
  log: Log;
  idleHours: number;
  intervalHours: number;
  now: () => number;
}) {
  const { auth, sweep, log } = deps;
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  async function run(): Promise<CleanedUp> {
    const { guests, sessions, failed } = await auth.endIdleSessions(deps.systemContext(stopping.signal), {
      idleHours: deps.idleHours,
    });
    const swept = await sweep.files(stopping.signal);
    const expired = new Date(deps.now() - IDEMPOTENCY_MS);
    const idempotencyKeys = await deps.fork().nativeDelete(SubmissionEntity, { createdAt: { $lt: expired } });
    const done = { guests, sessions, failed, idempotencyKeys, ...swept };
    log.info(done, 'cleaned up');
    return done;
  }

  /** One after the other: a long one must not meet the next. */
  function inBackground(work: () => Promise<unknown>): void {
    running = running.then(work).catch((err: unknown) => {
      if (!stopping.signal.aborted) log.error({ err }, 'the clean-up failed');
    });
  }

  return {
    run,

    /** Begins at once, in the background, and goes on by the interval; 0 = only now. */
    start(): void {
      inBackground(run);
      inBackground(() => sweep.missing(stopping.signal));
      if (deps.intervalHours === 0) return;
      const ms = Math.min(deps.intervalHours * 3_600_000, LONGEST_INTERVAL_MS);
      timer = setInterval(() => inBackground(run), ms).unref();
    },

    async stop(): Promise<void> {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}

export type Cleanup = ReturnType<typeof createCleanup>;
