import { parentPort } from 'node:worker_threads';
import { collectGarbage } from '../collect.ts';
import { KERNELS } from './kernels.ts';
import { COLLECT, type PixelReply, type PixelTask } from './protocol.ts';
import type { Tile } from './tile.ts';

parentPort?.on('message', (message: PixelTask | typeof COLLECT) => {
  if (message === COLLECT) {
    collectGarbage();
    return;
  }
  const { kernel, input, tile } = message;
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
