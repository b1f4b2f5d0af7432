import type { EntityManager } from '@mikro-orm/sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { newId } from '../../src/db/ids.ts';
import type { Claim, JobHandler, NewJob, Outcome, Queue, StopWork } from '../../src/queue/queue.ts';

/** A durable store, and queues of this and of other processes on it. */
export interface QueueHarness {
  /** A new queue on the store, as a new process would make it. Closed with the harness. */
  queue(options?: { checkMs?: number; maxCrashes?: number }): Queue;
  transaction(work: (em: EntityManager) => Promise<void>): Promise<void>;
  /** Lets another process claim jobs of `kind` until `running` are under way, and ends it with SIGKILL. */
  killWhileRunning(kind: string, running: number): Promise<string[]>;
  close(): Promise<void>;
}

const KIND = 'work';
const DONE: Outcome = { done: true };

/** A handler whose runs end when the test says so, or by themselves. */
export function createWork(
  options: Partial<Pick<JobHandler, 'concurrency' | 'concurrencyPerGroup'>> & {
    /** Goes on when the queue closes. */
    stubborn?: boolean;
  } = {},
) {
  const claims: Claim[] = [];
  const abandoned: string[] = [];
  const reclaimed: string[] = [];
  const open = new Map<Claim, (outcome: Outcome) => void>();
  const peak = { all: 0, group: 0 };
  let automatic = false;
  const handler: JobHandler = {
    concurrency: options.concurrency ?? 1,
    concurrencyPerGroup: options.concurrencyPerGroup ?? 1,
    async run(claim) {
      claims.push(claim);
      if (automatic) return DONE;
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      open.set(claim, resolve);
      claim.signal.addEventListener('abort', () => {
        if (claim.signal.reason === 'shutdown' && options.stubborn !== true) reject(new Error('stopped'));
      });
      const now = [...open.keys()];
      peak.all = Math.max(peak.all, now.length);
      peak.group = Math.max(peak.group, now.filter((other) => other.groupId === claim.groupId).length);
      return promise.finally(() => open.delete(claim));
    },
    async abandon(refId) {
      abandoned.push(refId);
    },
    async reclaimed(refId) {
      reclaimed.push(refId);
    },
  };
  return {
    handler,
    claims,
    abandoned,
    reclaimed,
    peak,
    refs: () => claims.map((claim) => claim.refId),
    underWay: () => open.size,
    /** Ends the oldest run under way, or the one of a ref. */
    end(refId?: string, outcome: Outcome = DONE) {
      const claim = [...open.keys()].find((one) => refId === undefined || one.refId === refId);
      open.get(claim as Claim)?.(outcome);
    },
    /** From now on runs end at once. */
    flow() {
      automatic = true;
      for (const resolve of open.values()) resolve(DONE);
    },
  };
}

function soon(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 3000, interval: 5 });
}
function rest(ms = 80): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What every queue must do; `open` makes an empty store. */
export function queueContract(name: string, open: () => Promise<QueueHarness>): void {
  describe(`queue contract: ${name}`, () => {
    let store: QueueHarness;
    let queue: Queue;

    beforeEach(async () => {
      store = await open();
      queue = store.queue();
    });
    afterEach(() => store.close());

    async function add(groupId: string, count = 1, extra: Partial<NewJob> = {}, to = queue): Promise<string[]> {
      const refs = Array.from({ length: count }, () => newId());
      await store.transaction(async (em) => {
        for (const refId of refs) await to.add(em, { kind: KIND, refId, groupId, ...extra });
      });
      to.wake();
      return refs;
    }

    /** Takes a job out; the answer says how to end the work on it. */
    async function take(refId: string): Promise<StopWork> {
      let stop: StopWork | undefined;
      await store.transaction(async (em) => {
        stop = await queue.remove(em, KIND, [refId]);
      });
      return stop as StopWork;
    }
    const remove = async (refId: string, waitMs?: number): Promise<void> => (await take(refId))(waitMs);
    const addAgain = async (refId: string): Promise<void> => {
      await store.transaction((em) => queue.add(em, { kind: KIND, refId, groupId: 'a' }));
      queue.wake();
    };

    test('runs the jobs of a group in the order in which they came', async () => {
      const work = createWork();
      work.flow();
      const refs = await add('a', 20);
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.refs()).toEqual(refs));
      await soon(async () => expect(await queue.stats()).toMatchObject({ waiting: 0, running: 0, moving: true }));
    });

    test('lets a group with one job go before the rest of a group with a hundred', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      await add('many', 100);
      await soon(() => expect(work.underWay()).toBe(1));
      const [one] = await add('one');
      work.end();
      await soon(() => expect(work.claims.length).toBe(2));
      expect(work.claims[1]?.refId).toBe(one);
    });

    test('lets groups take turns, the one served longest ago first', async () => {
      const work = createWork();
      work.flow();
      await add('a', 3);
      await add('b', 3);
      await add('c', 3);
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.claims.length).toBe(9));
      expect(work.claims.map((claim) => claim.groupId).join('')).toBe('abcabcabc');
    });

    test('runs no more at once than allowed, in all and in one group', async () => {
      const work = createWork({ concurrency: 3, concurrencyPerGroup: 2 });
      await queue.start({ [KIND]: work.handler });
      await add('a', 6);
      await soon(() => expect(work.underWay()).toBe(2));
      await rest();
      expect(work.underWay()).toBe(2);
      await add('b', 6);
      await soon(() => expect(work.underWay()).toBe(3));
      for (let ended = 0; ended < 12; ended++) {
        await soon(() => expect(work.underWay()).toBeGreaterThan(0));
        work.end();
        await rest(10);
      }
      await soon(() => expect(work.claims.length).toBe(12));
      expect(work.peak).toEqual({ all: 3, group: 2 });
    });

    test('keeps kinds of work apart', async () => {
      const work = createWork();
      const other = createWork();
      await queue.start({ [KIND]: work.handler, other: other.handler });
      const [first] = await add('a');
      const [second] = await add('a', 1, { kind: 'other' });
      await soon(() => expect([work.refs(), other.refs()]).toEqual([[first], [second]]));
      expect(await queue.stats('other')).toMatchObject({ waiting: 0, running: 1 });
      expect(await queue.stats()).toMatchObject({ waiting: 0, running: 2 });
    });

    test('never runs what was rolled back', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      const failed = store.transaction(async (em) => {
        await queue.add(em, { kind: KIND, refId: newId(), groupId: 'a' });
        throw new Error('rolled back');
      });
      await expect(failed).rejects.toThrow('rolled back');
      const [kept] = await add('b');
      await soon(() => expect(work.refs()).toEqual([kept]));
      work.end();
      await rest();
      expect(work.refs()).toEqual([kept]);
    });

    test('C4: a job that is added twice while it waits runs once', async () => {
      const work = createWork();
      const [refId = ''] = await add('a');
      await store.transaction((em) => queue.add(em, { kind: KIND, refId, groupId: 'a' }));
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.underWay()).toBe(1));
      work.end();
      await rest();
      expect(work.refs()).toEqual([refId]);
    });

    test('C4: a job that is added while it runs, runs once more when it has ended, never twice at once', async () => {
      const work = createWork({ concurrency: 4, concurrencyPerGroup: 4 });
      await queue.start({ [KIND]: work.handler });
      const [refId = ''] = await add('a');
      await soon(() => expect(work.underWay()).toBe(1));
      await store.transaction((em) => queue.add(em, { kind: KIND, refId, groupId: 'a' }));
      queue.wake();
      await rest();
      expect(work.refs()).toEqual([refId]);
      expect(work.claims[0]?.signal.aborted).toBe(false);
      work.end();
      await soon(() => expect(work.refs()).toEqual([refId, refId]));
      expect(work.claims.map((claim) => claim.fence)).toEqual([1, 2]);
      work.end();
      await rest();
      expect(work.claims.length).toBe(2);
    });

    test('C9: runs a job again at the time the handler names, not before, with a higher fence', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      await add('a');
      await soon(() => expect(work.underWay()).toBe(1));
      const retryAt = new Date(Date.now() + 300);
      work.end(undefined, { done: false, retryAt });
      await soon(() => expect(work.claims.length).toBe(2));
      expect(Date.now()).toBeGreaterThanOrEqual(retryAt.getTime());
      expect(Date.now()).toBeLessThan(retryAt.getTime() + 500);
      expect(work.claims.map(({ fence, crashes }) => [fence, crashes])).toEqual([
        [1, 0],
        [2, 0],
      ]);
    });

    test('holds a job back until its time, without holding back those behind it', async () => {
      const work = createWork();
      work.flow();
      await queue.start({ [KIND]: work.handler });
      const [later] = await add('a', 1, { notBefore: new Date(Date.now() + 250) });
      const [now] = await add('a');
      await soon(() => expect(work.refs()).toEqual([now]));
      await soon(() => expect(work.refs()).toEqual([now, later]));
    });

    test('takes a waiting job back', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      const [first, second = '', third] = await add('a', 3);
      await soon(() => expect(work.underWay()).toBe(1));
      await remove(second);
      work.end();
      await soon(() => expect(work.refs()).toEqual([first, third]));
      await remove(newId());
    });

    test('tells a running job to stop, and gives its place away only when it has', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      const [first = '', second] = await add('a', 2);
      await soon(() => expect(work.underWay()).toBe(1));
      await remove(first, 50);
      expect(work.claims[0]?.signal.reason).toBe('cancelled');
      await rest();
      expect(work.refs()).toEqual([first]);
      work.end(first, { done: false, retryAt: new Date() });
      await soon(() => expect(work.refs()).toEqual([first, second]));
      work.end();
      await rest();
      expect(work.refs()).toEqual([first, second]);
    });

    test('resolves a cancel as soon as the run has ended', async () => {
      const work = createWork();
      await queue.start({
        [KIND]: {
          ...work.handler,
          run: ({ signal }) =>
            new Promise((_resolve, reject) =>
              signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
            ),
        },
      });
      const [refId = ''] = await add('a');
      await soon(async () => expect((await queue.stats()).running).toBe(1));
      const before = performance.now();
      await remove(refId, 5000);
      expect(performance.now() - before).toBeLessThan(1000);
      expect(await queue.stats()).toMatchObject({ waiting: 0, running: 0 });
    });

    test('runs a job again that was cancelled and added again before it had stopped', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      const [refId = ''] = await add('a');
      await soon(() => expect(work.underWay()).toBe(1));
      await remove(refId, 0);
      await addAgain(refId);
      work.end();
      await soon(() => expect(work.refs()).toEqual([refId, refId]));
    });

    test('a job added right after another of its name was taken out is kept, and its run goes on', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      const [refId = ''] = await add('a', 1, { notBefore: new Date(Date.now() + 60_000) });
      const stop = await take(refId);
      await addAgain(refId);
      await soon(() => expect(work.refs()).toEqual([refId]));
      await stop(50);
      expect(work.claims[0]?.signal.aborted).toBe(false);
      expect(await queue.stats()).toMatchObject({ waiting: 0, running: 1 });
    });

    test('a job added while the run of one that was taken out has not heard of it runs when that has ended', async () => {
      const work = createWork({ concurrency: 4, concurrencyPerGroup: 4 });
      await queue.start({ [KIND]: work.handler });
      const [refId = ''] = await add('a');
      await soon(() => expect(work.underWay()).toBe(1));
      const stop = await take(refId);
      await addAgain(refId);
      await stop(50);
      expect(work.claims.map(({ signal }) => signal.aborted)).toEqual([true]);
      work.end();
      await soon(() => expect(work.claims.map(({ signal }) => signal.aborted)).toEqual([true, false]));
      await rest();
      expect(await queue.stats()).toMatchObject({ waiting: 0, running: 1 });
    });

    test('a job whose removal is rolled back stays', async () => {
      const [refId = ''] = await add('a');
      const failed = store.transaction(async (em) => {
        await queue.remove(em, KIND, [refId]);
        throw new Error('rolled back');
      });
      await expect(failed).rejects.toThrow('rolled back');
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.refs()).toEqual([refId]));
    });

    test('drops a job whose handler throws, and goes on', async () => {
      const work = createWork();
      let thrown = 0;
      const run = async (claim: Claim): Promise<Outcome> => {
        if (thrown++ === 0) throw new Error('a fault in the handler');
        return work.handler.run(claim);
      };
      await queue.start({ [KIND]: { ...work.handler, run } });
      const [, second] = await add('a', 2);
      await soon(() => expect(work.refs()).toEqual([second]));
      work.end();
      await soon(async () => expect(await queue.stats()).toMatchObject({ waiting: 0, running: 0 }));
    });

    test('starts work within 50 ms when idle', async () => {
      const work = createWork();
      work.flow();
      await queue.start({ [KIND]: work.handler });
      const waits: number[] = [];
      for (let round = 1; round <= 15; round++) {
        await rest(10);
        const refId = newId();
        await store.transaction((em) => queue.add(em, { kind: KIND, refId, groupId: 'a' }));
        const before = performance.now();
        queue.wake();
        while (work.claims.length < round) await new Promise((resolve) => setImmediate(resolve));
        waits.push(performance.now() - before);
      }
      const median = waits.toSorted((a, b) => a - b)[7];
      expect(median).toBeLessThan(50);
    });

    test('says how many wait and for how long', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      await add('a', 3);
      await add('a', 1, { notBefore: new Date(Date.now() + 60_000) });
      await rest(120);
      const stats = await queue.stats(KIND);
      expect(stats).toMatchObject({ waiting: 3, running: 1, moving: true });
      expect(stats.oldestSeconds).toBeGreaterThanOrEqual(0.1);
      expect(stats.oldestSeconds).toBeLessThan(5);
    });

    test('C7: closing starts nothing new and waits for what runs', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      await add('a', 2);
      await soon(() => expect(work.underWay()).toBe(1));
      const closed = queue.close(5000);
      await add('b');
      await rest();
      expect(work.claims[0]?.signal.aborted).toBe(false);
      work.end();
      await closed;
      expect(work.claims.length).toBe(1);
    });

    test('C7: what does not end within the grace is stopped, put back, and counts as no crash', async () => {
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      const [refId] = await add('a');
      await soon(() => expect(work.underWay()).toBe(1));
      await queue.close(50);
      expect(work.claims[0]?.signal.reason).toBe('shutdown');

      const next = createWork();
      await store.queue().start({ [KIND]: next.handler });
      await soon(() => expect(next.refs()).toEqual([refId]));
      expect(next.claims[0]).toMatchObject({ fence: 2, crashes: 0 });
      expect(next.reclaimed).toEqual([]);
    });

    test('C7: a run that ignores its signal is put back all the same, and its late end changes nothing', async () => {
      const work = createWork({ stubborn: true });
      await queue.start({ [KIND]: work.handler });
      const [refId] = await add('a');
      await soon(() => expect(work.underWay()).toBe(1));
      await queue.close(0);
      work.end();
      const next = createWork();
      await store.queue().start({ [KIND]: next.handler });
      await soon(() => expect(next.refs()).toEqual([refId]));
      expect(next.claims[0]).toMatchObject({ fence: 2, crashes: 0 });
    });

    test('C5: a job is not run twice when the event loop is blocked for longer than its claim goes unchecked', async () => {
      const lively = store.queue({ checkMs: 100 });
      const work = createWork({ concurrency: 2, concurrencyPerGroup: 2 });
      await lively.start({ [KIND]: work.handler });
      const [refId] = await add('a', 1, {}, lively);
      await soon(() => expect(work.underWay()).toBe(1));
      const end = performance.now() + 5000;
      while (performance.now() < end);
      lively.wake();
      await rest(400);
      expect(work.refs()).toEqual([refId]);
      expect(work.claims[0]?.signal.aborted).toBe(false);
      work.end();
      await soon(async () => expect(await lively.stats()).toMatchObject({ waiting: 0, running: 0 }));
    });

    test('C1: jobs of a killed process are taken back within 2 s, and run alone', async () => {
      const refs = await add('a', 1).then(async ([one]) => [one, ...(await add('b')), ...(await add('c', 2))]);
      const hit = await store.killWhileRunning(KIND, 2);
      expect(hit).toEqual(refs.slice(0, 2));

      const work = createWork({ concurrency: 4, concurrencyPerGroup: 4 });
      const before = performance.now();
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.underWay()).toBe(1));
      expect(performance.now() - before).toBeLessThan(2000);
      expect(work.reclaimed).toEqual(hit);
      expect(work.claims[0]).toMatchObject({ refId: hit[0], crashes: 1, fence: 2 });
      await rest();
      expect(work.underWay()).toBe(1);
      work.end();
      await soon(() => expect(work.refs()).toEqual(hit));
      await rest();
      expect(work.underWay()).toBe(1);
      work.end();
      await soon(() => expect(work.underWay()).toBe(2));
      expect(work.refs()).toEqual(refs);
      expect(work.claims.map((claim) => claim.crashes)).toEqual([1, 1, 0, 0]);
    });

    test('a job that has to run alone waits until the others have ended, and nothing overtakes it', async () => {
      const [crashed = ''] = await add('a');
      await store.killWhileRunning(KIND, 1);
      const work = createWork({ concurrency: 4, concurrencyPerGroup: 4 });
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.refs()).toEqual([crashed]));
      const retryAt = new Date(Date.now() + 200);
      work.end(crashed, { done: false, retryAt });
      const others = await add('b', 2);
      await soon(() => expect(work.underWay()).toBe(2));
      await rest(300);
      const [late] = await add('c');
      await rest();
      work.end(others[0]);
      await rest();
      expect(work.refs()).toEqual([crashed, ...others]);
      work.end(others[1]);
      await soon(() => expect(work.refs()).toEqual([crashed, ...others, crashed]));
      await rest();
      expect(work.underWay()).toBe(1);
      work.end(crashed);
      await soon(() => expect(work.refs().at(-1)).toBe(late));
    });

    test('C1: a job that has ended the process three times is given up, and the others run', async () => {
      const [bad = '', good] = await add('a', 2);
      for (let time = 0; time < 3; time++) expect(await store.killWhileRunning(KIND, 1)).toEqual([bad]);
      const work = createWork();
      await queue.start({ [KIND]: work.handler });
      await soon(() => expect(work.refs()).toEqual([good]));
      expect(work.abandoned).toEqual([bad]);
      expect(work.reclaimed).toEqual([]);
      await rest();
      expect(work.refs()).toEqual([good]);
    });
  });
}
