import type { Raster } from '../../../imaging/raster.ts';
import type { LoadedModel } from '../model.ts';
import type { RunOptions } from '../protocol.ts';

export interface TaskInput {
  readonly source: Raster;
  /** One byte a pixel of the source, 0 = leave. */
  readonly mask?: Uint8Array | undefined;
  readonly options: RunOptions;
  /** To be called before each run of the model; what it throws ends the work. */
  readonly onTile: (done: number, total: number) => Promise<void>;
}

/** How models of one task are run on a picture. Returns a new raster, never writes into the source. */
export type RunTask = (model: LoadedModel, input: TaskInput) => Promise<Raster>;
