import type { KernelName } from './kernels.ts';
import type { Tile } from './tile.ts';

/** What the pool sends to a thread: one tile of one call. */
export interface PixelTask {
  readonly kernel: KernelName;
  readonly input: unknown;
  readonly tile: Tile;
}

/** Sent to a thread that has nothing to do: an idle one collects no garbage, and would hold the rasters that it has last seen. */
export const COLLECT = 'collect';

/** What comes back for a tile. */
export type PixelReply = { readonly result: unknown } | { readonly error: unknown };
