import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { collectGarbage } from '../collect.ts';
import type { KernelInput, KernelName, KernelResult } from './kernels.ts';
import { cutTiles, type Tile } from './tile.ts';
import { COLLECT, type PixelReply, type PixelTask } from './protocol.ts';

export interface KernelRun {
  /** The area that is worked through, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Size of the pieces the area is cut into; default 256 × 256. A piece should take well under 100 ms. */
  readonly tileWidth?: number;
  readonly tileHeight?: number;
  /** Pieces that have not begun are dropped when it fires. */
  readonly signal: AbortSignal;
  /** Share of the pieces that are done, 0–1. */
  readonly onProgress?: (done: number) => void;
}

/** Threads that loop over pixels so that the main one never does. */
export interface PixelPool {
  readonly size: number;
  /**
   * Runs a kernel over every tile of an area, and resolves to what it returned for each, in reading order. Several calls
   * under way take turns, tile by tile. Rejects with the signal's reason, with what the kernel threw, or with an error that says a worker
   * died; in each case only after the tiles that had begun are finished, so that nobody writes into the rasters any more.
   */
  run<K extends KernelName>(kernel: K, input: KernelInput<K>, run: KernelRun): Promise<KernelResult<K>[]>;
  /**
   * Keeps the threads, once they are there, until what it returns is called: work on a photo comes back to them after seconds in a net, and
   * new ones would have to compile every kernel again. They give back what they have seen all the same.
   */
  hold(): () => void;
  /** Ends the threads; calls under way reject. Idle threads do not keep the process alive even without it. */
  close(): Promise<void>;
}

interface Call {
  readonly kernel: KernelName;
  readonly input: unknown;
  readonly tiles: readonly Tile[];
  readonly results: unknown[];
  next: number;
  running: number;
  failure: { reason: unknown } | undefined;
  tell(): void;
  settle(): void;
}

interface Slot {
  readonly worker: Worker;
  job: { call: Call; index: number } | undefined;
}

/** Threads that are kept for work that will come back: more would be memory that nobody has reckoned with. */
const MOST_HELD = 4;

export interface PixelPoolOptions {
  /** Threads at most. Default: one per core. */
  readonly size?: number;
  /** Idle threads are ended after so long, or, while they are held, collect their garbage. Default 1,000 ms: each holds some 35 MB. */
  readonly idleMs?: number;
  /** What a thread runs; default `worker.ts` with its table of kernels. */
  readonly script?: URL;
}

/**
 * A pool of `size` worker threads (default: one per core), started when there is work for them. A thread that dies fails the
 * call it worked for and is replaced. Threads that have been idle for a while are ended: nothing else makes them give back
 * the rasters they have last seen, since an idle thread collects no garbage; then the main thread's own is collected.
 */
export function createPixelPool({
  size = availableParallelism(),
  idleMs = 1000,
  script = new URL('./worker.ts', import.meta.url),
}: PixelPoolOptions = {}): PixelPool {
  const slots = new Set<Slot>();
  const calls: Call[] = [];
  let closed = false;
  let resting: NodeJS.Timeout | undefined;
  let holders = 0;

  /** Called whenever a call ends, and when nobody holds the threads any more. */
  function rest(): void {
    clearTimeout(resting);
    if (calls.length > 0 || closed) return;
    const relax = (): void => (holders > 0 ? tidyThreads() : void endThreads().then(collectGarbage));
    resting = setTimeout(relax, idleMs).unref();
  }

  function tidyThreads(): void {
    for (const slot of [...slots].slice(MOST_HELD)) {
      slots.delete(slot);
      void slot.worker.terminate();
    }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
    for (const { worker } of slots) worker.postMessage(COLLECT);
  }

  /** Of an idle pool. */
  async function endThreads(): Promise<void> {
    const ended = [...slots];
    slots.clear();
    await Promise.all(ended.map(({ worker }) => worker.terminate()));
  }

  function start(): Slot {
    // No flags of the parent: a worker refuses some of them (`--input-type`), and needs none.
    const worker = new Worker(script, { execArgv: [] });
    const slot: Slot = { worker, job: undefined };
    slots.add(slot);
    worker.on('message', (reply: PixelReply) => finish(slot, reply));
    worker.on('error', (error) => lose(slot, error));
    worker.on('exit', () => lose(slot, undefined));
    return slot;
  }

  function finish(slot: Slot, reply: PixelReply): void {
    const { job } = slot;
    if (job === undefined) return;
    slot.job = undefined;
    slot.worker.unref();
    job.call.running--;
    if ('error' in reply) fail(job.call, reply.error);
    else job.call.results[job.index] = reply.result;
    job.call.tell();
    job.call.settle();
    pump();
  }

  function lose(slot: Slot, cause: unknown): void {
    if (!slots.delete(slot)) return;
    const { job } = slot;
    if (job === undefined) return;
    job.call.running--;
    fail(job.call, new Error('A pixel worker died in the middle of its work.', { cause }));
    job.call.settle();
    pump();
  }

  function fail(call: Call, reason: unknown): void {
    call.failure ??= { reason };
    call.next = call.tiles.length;
  }

  function idleSlot(): Slot | undefined {
    for (const slot of slots) if (slot.job === undefined) return slot;
    return slots.size < size ? start() : undefined;
  }

  /** Hands out tiles until the threads or the tiles are used up; calls take turns. */
  function pump(): void {
    for (;;) {
      if (closed) return;
      const at = calls.findIndex((call) => call.next < call.tiles.length);
      const call = calls[at];
      if (call === undefined) return;
      const slot = idleSlot();
      if (slot === undefined) return;
      calls.splice(at, 1);
      calls.push(call);
      const index = call.next++;
      const tile = call.tiles[index];
      if (tile === undefined) return;
      call.running++;
      slot.job = { call, index };
      slot.worker.ref();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
      slot.worker.postMessage({ kernel: call.kernel, input: call.input, tile } satisfies PixelTask);
    }
  }

  return {
    size,

    run<K extends KernelName>(kernel: K, input: KernelInput<K>, run: KernelRun): Promise<KernelResult<K>[]> {
      const { signal, onProgress } = run;
      const { promise, resolve, reject } = Promise.withResolvers<KernelResult<K>[]>();
      if (closed) return Promise.reject(new Error('The pixel pool is closed.'));
      if (signal.aborted) return Promise.reject(signal.reason as Error);
      const tiles = cutTiles(run);
      const call: Call = {
        kernel,
        input,
        tiles,
        results: [],
        next: 0,
        running: 0,
        failure: undefined,
        tell() {
          try {
            if (call.failure === undefined) onProgress?.((call.next - call.running) / tiles.length);
          } catch (error) {
            fail(call, error);
          }
        },
        settle() {
          if (call.running > 0 || call.next < tiles.length) return;
          signal.removeEventListener('abort', abort);
          const at = calls.indexOf(call);
          if (at >= 0) calls.splice(at, 1);
          rest();
          if (call.failure === undefined) resolve(call.results as KernelResult<K>[]);
          else reject(call.failure.reason);
        },
      };
      const abort = (): void => {
        fail(call, signal.reason);
        call.settle();
      };
      signal.addEventListener('abort', abort, { once: true });
      clearTimeout(resting);
      calls.push(call);
      pump();
      return promise;
    },

    hold() {
      holders++;
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        holders--;
        rest();
      };
    },

    async close() {
      closed = true;
      for (const call of calls.slice()) {
        fail(call, new DOMException('The pixel pool was closed.', 'AbortError'));
        call.settle();
      }
      clearTimeout(resting);
      await Promise.all([...slots].map((slot) => slot.worker.terminate()));
    },
  };
}
