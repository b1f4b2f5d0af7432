import type { Authenticated } from '../auth/authenticate.ts';
import type { Log } from '../log.ts';

/** setTimeout takes no more. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * Who bears `token`; anonymous without one.
 *
 * @throws AppError UNAUTHENTICATED for a token that is not good, or not any more.
 */
export type Authenticate = (token: string | undefined, address: string) => Promise<Authenticated>;

/** Calls `listener` with the id of each session that ends; returns how to stop it. */
export type OnSessionEnded = (listener: (sessionId: string) => void) => () => void;

/** Those of these sessions that no longer count. */
export type EndedSessions = (sessionIds: readonly string[]) => Promise<readonly string[]>;

/** How long what another process (the command line) has ended may stay open. */
const LOOK_EVERY_MS = 5_000;

export interface SessionWatch {
  /** Calls `end` once, when the token expires or its session ends. Returns how to stop waiting. */
  whenOver(authenticated: Authenticated, end: () => void): () => void;
  close(): void;
}

/** Ends what outlives a request (subscriptions) together with the right to it. */
export function createSessionWatch(deps: {
  onSessionEnded: OnSessionEnded;
  endedSessions: EndedSessions;
  log: Log;
}): SessionWatch {
  const waiting = new Map<string, Set<() => void>>();
  const endAll = (sessionId: string): void => {
    for (const end of waiting.get(sessionId) ?? []) end();
  };
  const unsubscribe = deps.onSessionEnded(endAll);

  /** One query for all that is open, however many sockets a session has. */
  async function look(): Promise<void> {
    try {
      for (const sessionId of await deps.endedSessions([...waiting.keys()])) endAll(sessionId);
    } catch (err) {
      deps.log.warn({ err }, 'could not look whether sessions have ended');
    }
  }
  const looking = setInterval(() => {
    if (waiting.size > 0) void look();
  }, LOOK_EVERY_MS).unref();

  return {
    whenOver({ actor, expiresAt }, end) {
      const sessionId = actor.kind === 'user' ? actor.sessionId : undefined;
      const stop = () => {
        clearTimeout(timer);
        if (sessionId === undefined) return;
        const ends = waiting.get(sessionId);
        ends?.delete(over);
        if (ends?.size === 0) waiting.delete(sessionId);
      };
      const over = () => {
        stop();
        end();
      };
      const wait = expiresAt === null ? LONGEST_TIMEOUT_MS : expiresAt.getTime() - Date.now();
      const timer =
        expiresAt !== null && wait < LONGEST_TIMEOUT_MS ? setTimeout(over, Math.max(0, wait)).unref() : undefined;
      if (sessionId !== undefined) waiting.set(sessionId, (waiting.get(sessionId) ?? new Set()).add(over));
      return stop;
    },
    close() {
      unsubscribe();
      clearInterval(looking);
      waiting.clear();
    },
  };
}
