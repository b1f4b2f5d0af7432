import { Worker } from 'node:worker_threads';
import { collectGarbage } from '../imaging/collect.ts';
import type { OwnNet } from './own-net.ts';
import type { FromThread, NetFigures, NetJob, ThreadOptions, ToThread } from './protocol.ts';

export type LoadAnswer = { readonly figures: NetFigures } | { readonly refused: string };

/** How a job ended; `lost` = the thread died. */
export type JobEnd =
  | { readonly end: 'finished' | 'stopped' }
  | { readonly end: 'refused' | 'failed' | 'useless'; readonly reason: string }
  | { readonly end: 'lost'; readonly cause: unknown };

export type JobTiles = (done: number, ms: number) => void;

/** The thread in which nets run, as seen from outside. It is started when there is something to do and ended when idle. */
export interface InferenceThread {
  /** Never rejects. */
  load(net: OwnNet): Promise<LoadAnswer>;
  /** Never rejects, and settles only when nobody writes into the job's target any more. */
  run(job: Omit<NetJob, 'id'>, onTile: JobTiles): Promise<JobEnd>;
  /** Waits for the tile under way, then ends the thread. */
  close(): Promise<void>;
}

export interface InferenceThreadOptions extends ThreadOptions {
  /** An idle thread is ended after so many milliseconds, and with it all memory that nets took. */
  readonly idleMs: number;
  readonly script?: URL;
  /**
   * After an idle thread was ended, to load nets again. With it a thread that has only loaded nets is left as it is: it would
   * be ended and filled again for ever.
   */
  readonly reload?: () => void;
}

interface Pending {
  readonly loads: Map<string, ((answer: LoadAnswer) => void)[]>;
  readonly jobs: Map<number, { job: NetJob; onTile: JobTiles; settle: (end: JobEnd) => void }>;
}

/** A thread that does not answer when it is closed is ended all the same after so long. */
const PATIENCE_MS = 5000;

export function createInferenceThread({
  runtime,
  threads,
  idleMs,
  script = new URL('./thread.ts', import.meta.url),
  reload,
}: InferenceThreadOptions): InferenceThread {
  let worker: Worker | undefined;
  let pending: Pending = { loads: new Map(), jobs: new Map() };
  let resting: NodeJS.Timeout | undefined;
  let nextId = 1;
  /** Whether the thread has had a job. */
  let worked = false;
  let closed = false;

  const idle = (): boolean => pending.jobs.size === 0 && pending.loads.size === 0;

  function start(): Worker {
    // No flags of the parent: a worker refuses some of them (`--input-type`), and needs none.
    worked = false;
    const started = new Worker(script, { execArgv: [], workerData: { runtime, threads } satisfies ThreadOptions });
    started.on('message', (message: FromThread) => hear(message));
    started.on('error', (error) => lose(started, error));
    started.on('exit', (code) => lose(started, new Error(`The inference thread ended with ${code}.`)));
    return started;
  }

  function send(message: ToThread): void {
    clearTimeout(resting);
    worker ??= start();
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
    worker.postMessage(message);
  }

  function rest(): void {
    if (!idle() || worker === undefined) return;
    worker.unref();
    if (reload !== undefined && !worked) return;
    clearTimeout(resting);
    resting = setTimeout(() => void endIdle(), idleMs).unref();
  }

  async function endIdle(): Promise<void> {
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
    collectGarbage();
    if (!closed) reload?.();
  }

  function hear(message: FromThread): void {
    if ('loaded' in message) {
      const waiting = pending.loads.get(message.loaded) ?? [];
      pending.loads.delete(message.loaded);
      for (const settle of waiting) settle(message);
      rest();
      return;
    }
    const known = pending.jobs.get(message.job);
    if (known === undefined) return;
    if ('done' in message) {
      known.onTile(message.done, message.ms);
      return;
    }
    pending.jobs.delete(message.job);
    known.settle(message);
    rest();
  }

  /** Of a thread that died; one that was ended is no longer `worker`. */
  function lose(lost: Worker, cause: unknown): void {
    if (worker !== lost) return;
    worker = undefined;
    const { loads, jobs } = pending;
    pending = { loads: new Map(), jobs: new Map() };
    const refused = `the inference thread died (${cause instanceof Error ? cause.message : String(cause)})`;
    for (const waiting of loads.values()) for (const settle of waiting) settle({ refused });
    for (const { settle } of jobs.values()) settle({ end: 'lost', cause });
  }

  return {
    load(net) {
      const { promise, resolve } = Promise.withResolvers<LoadAnswer>();
      if (closed) return Promise.resolve({ refused: 'the service is stopping' });
      const waiting = pending.loads.get(net.name);
      if (waiting === undefined) {
        pending.loads.set(net.name, [resolve]);
        try {
          send({ load: net });
        } catch (error) {
          pending.loads.delete(net.name);
          resolve({ refused: `the inference thread cannot be started (${String(error)})` });
        }
      } else waiting.push(resolve);
      return promise;
    },

    run(job, onTile) {
      const { promise, resolve } = Promise.withResolvers<JobEnd>();
      if (closed) return Promise.resolve({ end: 'stopped' });
      const whole: NetJob = { ...job, id: nextId++ };
      pending.jobs.set(whole.id, { job: whole, onTile, settle: resolve });
      send({ job: whole });
      worked = true;
      return promise;
    },

    async close() {
      closed = true;
      clearTimeout(resting);
      const ends = [...pending.jobs.values()].map((known) => {
        Atomics.store(known.job.stop, 0, 1);
        return new Promise<void>((resolve) => {
          const { settle } = known;
          known.settle = (end) => {
            settle(end);
            resolve();
          };
        });
      });
      const patience = setTimeout(() => void worker?.terminate(), PATIENCE_MS);
      await Promise.all(ends);
      clearTimeout(patience);
      const ended = worker;
      worker = undefined;
      await ended?.terminate();
      for (const waiting of pending.loads.values())
        for (const settle of waiting) settle({ refused: 'the service is stopping' });
    },
  };
}
