import type { Raster } from '../imaging/raster.ts';
import type { TilePlan } from '../imaging/tiles.ts';
import type { OwnNet } from './own-net.ts';

/** One picture for one net. */
export interface NetJob {
  readonly id: number;
  readonly net: OwnNet;
  readonly source: Raster;
  readonly target: Raster;
  /** For each control of the net, in its order. */
  readonly controls: readonly (number | Raster)[];
  readonly share: number;
  readonly plan: TilePlan;
  /** Becomes 1 when no further tile may begin. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** What a net was found to cost on this machine when it was loaded. */
export interface NetFigures {
  readonly msPerMegapixel: number;
  /** Working memory per pixel of a window. */
  readonly bytesPerPixel: number;
}

/** What the inference thread is started with. */
export interface ThreadOptions {
  /** The module that runs nets. */
  readonly runtime: string;
  /** Cores that a net may use. */
  readonly threads: number;
}

export type ToThread = { readonly load: OwnNet } | { readonly job: NetJob };

export type FromThread =
  /** Every load has one answer; `refused` is a part of a sentence that says why the net cannot be used. */
  | { readonly loaded: string; readonly figures: NetFigures }
  | { readonly loaded: string; readonly refused: string }
  /** A tile is done; milliseconds that the net took for it. */
  | { readonly job: number; readonly done: number; readonly ms: number }
  /** The job is over and nobody writes into its target any more. */
  | { readonly job: number; readonly end: 'finished' | 'stopped' }
  | { readonly job: number; readonly end: 'refused' | 'failed' | 'useless'; readonly reason: string };
