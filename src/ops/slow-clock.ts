/** Further than this apart, the wall clock was moved and did not only drift. */
const MOVED_MS = 2000;

/** What time it is for whoever deletes by age. */
export interface SlowClock {
  /** Milliseconds since 1970, never later than it is. */
  now(): number;
  /** When it was made. */
  readonly startedAt: number;
  /** Whether the wall clock stands before where it would, had nobody moved it: what is new may look old then. */
  wentBack(): boolean;
}

/**
 * The wall clock, or where it would be now had nobody moved it since the start, whichever is earlier. Nothing expires too
 * early by it (C10); after a clock that was set forward, or a machine that slept, things expire later, at the worst not
 * before the next start.
 *
 * @param deps.steady milliseconds of a clock that nobody can set; default since the process began.
 */
export function createSlowClock(deps: { now: () => number; steady?: () => number }): SlowClock {
  const { now, steady = () => performance.now() } = deps;
  const startedAt = now();
  const began = steady();
  const expected = (): number => startedAt + steady() - began;
  return {
    startedAt,
    now: () => Math.min(now(), expected()),
    wentBack: () => now() < expected() - MOVED_MS,
  };
}
