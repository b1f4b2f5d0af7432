import type { EntityManager } from '@mikro-orm/sqlite';
import type { Auth } from '../auth/service.ts';
import type { ServiceContext } from '../db/context.ts';
import type { Log } from '../log.ts';
import { IDEMPOTENCY_MS } from '../restorations/submit.ts';
import type { Missing } from './missing.ts';
import type { SlowClock } from './slow-clock.ts';
import type { Sweep, Swept } from './sweep.ts';

/** setInterval takes no more. */
const LONGEST_INTERVAL_MS = 2 ** 31 - 1;
/** Those who wait for the service to start are served first. */
const FIRST_MS = 1000;
const KEYS_AT_ONCE = 500;

/** The idempotency keys that no longer count; `?` is `expiredKeys`. */
export const EXPIRED_KEYS = 'from submission where created_at < ?';
export const expiredKeys = (clock: SlowClock): number => clock.now() - IDEMPOTENCY_MS;

export interface CleanedUp extends Swept {
  guests: number;
  sessions: number;
  failed: number;
  idempotencyKeys: number;
}

/** Ends what nobody uses any more, soon after the start and every few hours. */
export function createCleanup(deps: {
  auth: Auth;
  sweep: Sweep;
  missing: Missing;
  clock: SlowClock;
  systemContext: (signal: AbortSignal) => ServiceContext;
  fork: () => EntityManager;
  log: Log;
  idleHours: number;
  intervalHours: number;
}) {
  const { auth, sweep, missing, clock, log } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const timers: NodeJS.Timeout[] = [];
  let running: Promise<unknown> = Promise.resolve();
  let missingFiles = 0;

  async function forgetKeys(): Promise<number> {
    let removed = 0;
    for (;;) {
      signal.throwIfAborted();
      const { affectedRows } = await deps
        .fork()
        .execute<{ affectedRows: number; insertId: number; rows: never[] }>(
          `delete from submission where id in (select id ${EXPIRED_KEYS} limit ${KEYS_AT_ONCE})`,
          [expiredKeys(clock)],
          'run',
        );
      removed += affectedRows;
      if (affectedRows < KEYS_AT_ONCE) return removed;
    }
  }

  async function run(options: { careful?: boolean } = {}): Promise<CleanedUp> {
    const ctx = deps.systemContext(signal);
    const { guests, sessions, failed } = await auth.endIdleSessions(ctx, {
      idleHours: deps.idleHours,
      asOf: clock.now(),
    });
    const swept = await sweep.files(signal, options);
    const done = { guests, sessions, failed, idempotencyKeys: await forgetKeys(), ...swept };
    log.info(done, 'cleaned up');
    return done;
  }

  /** One after the other: a long one must not meet the next. */
  function inBackground(work: () => Promise<unknown>): void {
    running = running.then(work).catch((err: unknown) => {
      if (!signal.aborted) log.error({ err }, 'the clean-up failed');
    });
  }

  const carefully = (): void => inBackground(() => run({ careful: true }));

  return {
    /** Once, now. @param options see `Sweep.files`. */
    run,

    /** Photos and results whose file was not there when it was last looked for. */
    missingFiles: (): number => missingFiles,

    /** Begins in a moment, in the background, and goes on by the interval; 0 = only once. */
    start(): void {
      const first = setTimeout(() => {
        carefully();
        inBackground(async () => (missingFiles = await missing.settle(signal)));
      }, FIRST_MS);
      timers.push(first.unref());
      if (deps.intervalHours === 0) return;
      const ms = Math.min(deps.intervalHours * 3_600_000, LONGEST_INTERVAL_MS);
      timers.push(setInterval(carefully, ms).unref());
    },

    async stop(): Promise<void> {
      for (const timer of timers) clearTimeout(timer);
      stopping.abort();
      await running;
    },
  };
}

export type Cleanup = ReturnType<typeof createCleanup>;
