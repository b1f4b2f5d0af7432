import type { EntityManager } from '@mikro-orm/sqlite';
import type { Auth } from '../auth/service.ts';
import type { ServiceContext } from '../db/context.ts';
import type { Log } from '../log.ts';
import { SubmissionEntity } from '../restorations/entity.ts';
import { IDEMPOTENCY_MS } from '../restorations/submit.ts';
import type { Spool } from '../storage/spool.ts';

/** A temporary file that nobody has written to for so long belongs to nobody. */
const TEMPORARY_MS = 3600 * 1000;

export interface CleanedUp {
  guests: number;
  sessions: number;
  failed: number;
  temporaryFiles: number;
  idempotencyKeys: number;
}

/** Ends what nobody uses any more, at start and every few hours. */
export function createCleanup(deps: {
  auth: Auth;
  spool: Spool;
  systemContext: (signal: AbortSignal) => ServiceContext;
  fork: () => EntityManager;
  log: Log;
  idleHours: number;
  intervalHours: number;
  now: () => number;
}) {
  const { auth, spool, log } = deps;
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  async function run(): Promise<CleanedUp> {
    const { guests, sessions, failed } = await auth.endIdleSessions(deps.systemContext(stopping.signal), {
      idleHours: deps.idleHours,
    });
    const temporaryFiles = await spool.sweep(TEMPORARY_MS);
    const expired = new Date(deps.now() - IDEMPOTENCY_MS);
    const idempotencyKeys = await deps.fork().nativeDelete(SubmissionEntity, { createdAt: { $lt: expired } });
    const done = { guests, sessions, failed, temporaryFiles, idempotencyKeys };
    log.info(done, 'cleaned up');
    return done;
  }

  function runInBackground(): void {
    running = run().catch((err: unknown) => {
      if (!stopping.signal.aborted) log.error({ err }, 'the clean-up failed');
    });
  }

  return {
    run,

    /** Begins at once, in the background, and goes on by the interval; 0 = only now. */
    start(): void {
      runInBackground();
      if (deps.intervalHours > 0) timer = setInterval(runInBackground, deps.intervalHours * 3600 * 1000).unref();
    },

    async stop(): Promise<void> {
      clearInterval(timer);
      stopping.abort();
      await running;
    },
  };
}

export type Cleanup = ReturnType<typeof createCleanup>;
