/** Which groups have work, and whose turn it is. Kept in memory for one kind of job; the rows stay the truth. */
export interface Turns {
  /** The group may have a job that may start at `at` (ms since the epoch). */
  expect(group: string, at: number): void;
  /** The waiting group that was served least recently, among those that `mayRun`; null when none is ripe at `now`. */
  next(now: number, mayRun: (group: string) => boolean): Turn | null;
  /** The group was served: it goes to the end of the line. */
  served(group: string): void;
  /** What the rows said after `turn` was taken: when the group's next job may start, or null when none waits. */
  found(turn: Turn, nextAt: number | null): void;
  /** When the next job of a group that `mayRun` may start; null when none waits. */
  nextAt(mayRun: (group: string) => boolean): number | null;
  /** Forgets whose turn it was where that no longer matters. */
  prune(): void;
}

export interface Turn {
  readonly group: string;
  /** State of the group when the turn was taken: what was expected since then is not lost by {@link Turns.found}. */
  readonly version: number;
}

export function createTurns(): Turns {
  const waiting = new Map<string, { at: number; version: number }>();
  const lastServed = new Map<string, number>();
  let clock = 0;
  let versions = 0;

  return {
    expect(group, at) {
      const known = waiting.get(group);
      waiting.set(group, { at: Math.min(at, known?.at ?? at), version: ++versions });
    },

    next(now, mayRun) {
      let best: Turn | null = null;
      let bestServed = Infinity;
      for (const [group, { at, version }] of waiting) {
        const served = lastServed.get(group) ?? 0;
        if (at <= now && served < bestServed && mayRun(group)) {
          best = { group, version };
          bestServed = served;
        }
      }
      return best;
    },

    served(group) {
      lastServed.set(group, ++clock);
    },

    found({ group, version }, nextAt) {
      if (waiting.get(group)?.version !== version) return;
      if (nextAt === null) waiting.delete(group);
      else waiting.set(group, { at: nextAt, version });
    },

    nextAt(mayRun) {
      let earliest: number | null = null;
      for (const [group, { at }] of waiting) {
        if ((earliest === null || at < earliest) && mayRun(group)) earliest = at;
      }
      return earliest;
    },

    prune() {
      const oldest = Math.min(...waiting.keys().map((group) => lastServed.get(group) ?? 0));
      for (const [group, served] of lastServed) {
        if (!waiting.has(group) && served <= oldest) lastServed.delete(group);
      }
    },
  };
}
