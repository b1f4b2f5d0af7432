import { parentPort } from 'node:worker_threads';
import { KERNELS, type KernelName } from './kernels.ts';
import type { Tile } from './tile.ts';

/** What the pool sends: one tile of one call. */
export interface PixelTask {
  readonly kernel: KernelName;
  readonly input: unknown;
  readonly tile: Tile;
}

/** What comes back for it. */
export type PixelReply = { readonly result: unknown } | { readonly error: unknown };

parentPort?.on('message', ({ kernel, input, tile }: PixelTask) => {
  let reply: PixelReply;
  try {
    const work = KERNELS[kernel] as (input: unknown, tile: Tile) => unknown;
    reply = { result: work(input, tile) };
  } catch (error) {
    reply = { error };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  parentPort?.postMessage(reply);
});
