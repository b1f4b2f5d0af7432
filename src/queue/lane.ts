import type { JobHandler } from './queue.ts';
import type { GroupOfKind, JobRow, JobRows } from './rows.ts';
import type { RunningJob, Settlement } from './running.ts';
import { createTurns } from './turns.ts';

/** Everything of one kind of job: who waits, what runs, and what may start next. */
export interface Lane {
  readonly kind: string;
  readonly handler: JobHandler;
  readonly running: Map<string, RunningJob>;
  /** `performance.now()` of the last claim. */
  claimedAt: number;
  expect(groupId: string, at: number): void;
  /** A job that has ended a process waits: it runs alone, and before all others. */
  expectAlone(id: string, at: number): void;
  /** Claims the next job that may start: null when there is none, `nothing` when one was expected but is gone. */
  claim(rows: JobRows, now: number): Promise<JobRow | 'nothing' | null>;
  /** What a run that has ended means for those that wait. */
  settled(job: RunningJob, settlement: Settlement): void;
  /** When something may start next without anything ending first, ms since the epoch; null when nothing will. */
  nextAt(now: number): number | null;
  /** True when a job could start if one were ripe. */
  hasRoom(now: number): boolean;
  /** Groups that run as many as they may. */
  fullGroups(): string[];
  prune(): void;
}

export function createLane(kind: string, handler: JobHandler): Lane {
  const turns = createTurns();
  const alone = new Map<string, number>();
  const running = new Map<string, RunningJob>();

  function mayRun(groupId: string): boolean {
    let count = 0;
    for (const job of running.values()) if (job.groupId === groupId) count++;
    return count < handler.concurrencyPerGroup;
  }
  const ripeAlone = (now: number): string | undefined => alone.entries().find(([, at]) => at <= now)?.[0];

  function hasRoom(now: number): boolean {
    if (running.size === 0) return true;
    // One that runs alone takes the whole lane, and so does one that waits for it to be empty.
    if (ripeAlone(now) !== undefined || running.values().some((job) => job.crashes > 0)) return false;
    return running.size < handler.concurrency;
  }

  async function claimTurn(rows: JobRows, now: number): Promise<JobRow | 'nothing' | null> {
    const turn = turns.next(now, mayRun);
    if (turn === null) return null;
    const group: GroupOfKind = { kind, groupId: turn.group };
    const busy = Array.from(running.values(), (job) => job.refId);
    const row = await rows.claim(group, busy, now);
    if (row !== null) {
      turns.served(turn.group);
      return row;
    }
    turns.found(turn, await rows.nextAt(group, busy));
    return 'nothing';
  }

  return {
    kind,
    handler,
    running,
    claimedAt: performance.now(),
    expect: turns.expect,
    expectAlone: (id, at) => void alone.set(id, at),
    hasRoom,
    prune: turns.prune,

    async claim(rows, now) {
      if (!hasRoom(now)) return null;
      const id = ripeAlone(now);
      if (id === undefined) return claimTurn(rows, now);
      const row = await rows.claimOne(id);
      alone.delete(id);
      return row ?? 'nothing';
    },

    settled(job, settlement) {
      if (settlement.kind === 'done') return;
      const at = settlement.kind === 'waits' ? settlement.at : 0;
      if (job.crashes > 0) alone.set(job.id, at);
      else turns.expect(job.groupId, at);
    },

    nextAt(now) {
      if (!hasRoom(now)) return null;
      const times = [turns.nextAt(mayRun), ...alone.values()].filter((at) => at !== null);
      return times.length === 0 ? null : Math.min(...times);
    },

    fullGroups() {
      return [...new Set(running.values().map((job) => job.groupId))].filter((groupId) => !mayRun(groupId));
    },
  };
}
