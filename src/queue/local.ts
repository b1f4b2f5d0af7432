import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@mikro-orm/sqlite';
import { newId } from '../db/ids.ts';
import type { Log } from '../log.ts';
import { createClaimWatch } from './claim-watch.ts';
import { createLane, type Lane } from './lane.ts';
import type { Queue } from './queue.ts';
import { recover } from './recover.ts';
import { createJobRows } from './rows.ts';
import { startRun, type RunningJob } from './running.ts';

export interface LocalQueueOptions {
  /** A fork for the queue's own statements. */
  fork(): EntityManager;
  log: Log;
  /** This process; default a new id. */
  ownerId?: string;
  /** How often what runs is compared with its row, in ms; default 10,000. */
  checkMs?: number;
  /** How often a job may end the process before it is abandoned; default 3. */
  maxCrashes?: number;
  /** How often rows are compared with what is remembered of them, in ms, should anything be missed; default 10,000. */
  compareMs?: number;
  /** The wall clock in ms since the epoch, for `notBefore`; default `Date.now`. */
  now?: () => number;
}

/** After a database error. */
const RETRY_MS = 1000;
/** What is ripe for so long while nothing is claimed and places are free means that the queue stands still. */
const STALL_MS = 30_000;
/** How long a job that was removed may take to let go. */
const STOP_WAIT_MS = 500;
/** How long runs have to end once they are told to, when the queue closes. */
const ABORT_MS = 2000;
const GRACE_MS = 20_000;

async function settledWithin(jobs: Iterable<RunningJob>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([Promise.all([...jobs].map((job) => job.settled)), late]);
  clearTimeout(timer);
}

/**
 * The queue of a service that runs as one process on one data folder. Rows in SQLite are the truth; which groups have
 * work is remembered, so that a claim is one indexed statement and an idle queue only keeps a timer.
 *
 * The caller holds the lock of the data folder: at start every job in other hands belongs to a process that has died.
 */
export function createLocalQueue(options: LocalQueueOptions): Queue {
  const { log, checkMs = 10_000, compareMs = 10_000, maxCrashes = 3, now = Date.now } = options;
  const rows = createJobRows(options.fork(), options.ownerId ?? newId());
  const lanes = new Map<string, Lane>();
  // Handlers must not run inside the transaction or request of whoever happened to wake the queue.
  const outside = AsyncLocalStorage.snapshot();
  const added = new Map<string, { kind: string; groupId: string }>();
  let state: 'new' | 'open' | 'closing' | 'closed' = 'new';
  let pumping: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let comparedAt = performance.now();
  let closed: Promise<void> | undefined;

  const isOpen = (): boolean => state === 'open';
  const allRunning = (): RunningJob[] => [...lanes.values()].flatMap((lane) => [...lane.running.values()]);
  const watch = createClaimWatch({ rows, log, everyMs: checkMs, running: allRunning });

  async function fill(lane: Lane): Promise<void> {
    while (isOpen()) {
      const row = await lane.claim(rows, now());
      if (row === null) return;
      if (row === 'nothing') continue;
      if (!isOpen()) {
        await rows.putBack(row);
        return;
      }
      lane.claimedAt = performance.now();
      const job = startRun({ rows, log, handler: lane.handler, closed: () => state === 'closed' }, row);
      lane.running.set(job.id, job);
      watch.start();
      void follow(lane, job);
    }
  }

  async function follow(lane: Lane, job: RunningJob): Promise<void> {
    const settlement = await job.settled;
    lane.running.delete(job.id);
    if (allRunning().length === 0) watch.stop();
    lane.settled(job, settlement);
    pump();
  }

  /** Takes in what the rows say; whatever `add` or a run have announced comes to the same. */
  async function compare(): Promise<void> {
    comparedAt = performance.now();
    for (const lane of lanes.values()) {
      for (const { groupId, nextAt } of await rows.groups(lane.kind)) lane.expect(groupId, nextAt);
      lane.prune();
    }
  }

  function arm(failed: boolean): void {
    clearTimeout(timer);
    if (!isOpen()) return;
    const at = now();
    const next = Math.min(...[...lanes.values()].map((lane) => lane.nextAt(at) ?? Infinity));
    const wait = failed ? RETRY_MS : Math.min(Math.max(1, next - at), compareMs);
    timer = setTimeout(pump, wait);
  }

  async function fillAll(): Promise<void> {
    // Wakes that come together make one round.
    await Promise.resolve();
    let failed = false;
    do {
      again = false;
      try {
        if (performance.now() - comparedAt >= compareMs) await compare();
        for (const lane of lanes.values()) await fill(lane);
      } catch (err) {
        failed = true;
        log.error({ err }, 'could not claim a job');
      }
    } while (again && !failed);
    pumping = undefined;
    arm(failed);
  }

  function pump(): void {
    again = true;
    if (isOpen()) pumping ??= outside(fillAll);
  }

  async function shutDown(graceMs: number): Promise<void> {
    const started = state !== 'new';
    state = 'closing';
    clearTimeout(timer);
    if (!started) return;
    await pumping;
    await settledWithin(allRunning(), graceMs);
    for (const job of allRunning()) job.stop('shutdown');
    await settledWithin(allRunning(), ABORT_MS);
    state = 'closed';
    watch.stop();
    for (const job of allRunning()) {
      log.warn({ job: job.kind, refId: job.refId }, 'a job did not stop in time; it will run again');
      await rows.putBack(job);
    }
  }

  return {
    async add(em, job) {
      await rows.add(em, job, now());
      added.set(JSON.stringify([job.kind, job.groupId]), { kind: job.kind, groupId: job.groupId });
    },

    wake() {
      for (const { kind, groupId } of added.values()) lanes.get(kind)?.expect(groupId, 0);
      added.clear();
      pump();
    },

    async remove(em, kind, refIds) {
      const removed = await rows.removeRefs(em, kind, refIds);
      return async (waitMs = STOP_WAIT_MS) => {
        const running = lanes.get(kind)?.running;
        if (running === undefined || removed.length === 0) return;
        // A claim whose answer is still on its way shows up when the present round of claims has ended.
        if (removed.some(({ id, leaseOwner }) => leaseOwner !== null && !running.has(id))) await pumping;
        // By the row, not by what it is about: that may have been added again by now, and be running.
        const jobs = removed.flatMap(({ id }) => running.get(id) ?? []);
        for (const job of jobs) job.stop('cancelled');
        await settledWithin(jobs, waitMs);
      };
    },

    async start(handlers) {
      if (state !== 'new') throw new Error('a queue starts once');
      for (const [kind, handler] of Object.entries(handlers)) lanes.set(kind, createLane(kind, handler));
      await recover({ rows, log, handlers, maxCrashes });
      for (const { id, kind, at } of await rows.crashed()) lanes.get(kind)?.expectAlone(id, at);
      await compare();
      state = 'open';
      pump();
    },

    async stats(kind) {
      const at = now();
      const asked = [...lanes.values()].filter((lane) => kind === undefined || lane.kind === kind);
      const { count, since } = await rows.waiting(kind, at);
      let moving = true;
      for (const lane of asked) {
        if (!lane.hasRoom(at) || performance.now() - lane.claimedAt < STALL_MS) continue;
        if (await rows.ripe(lane.kind, lane.fullGroups(), at - STALL_MS)) moving = false;
      }
      return {
        waiting: count,
        running: asked.reduce((sum, lane) => sum + lane.running.size, 0),
        oldestSeconds: since === null ? 0 : Math.max(0, (at - since) / 1000),
        moving,
      };
    },

    close(graceMs = GRACE_MS) {
      closed ??= shutDown(graceMs);
      return closed;
    },
  };
}
