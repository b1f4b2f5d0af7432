import type { Raster } from './raster.ts';

/** What a net of ours does: take out grain and JPEG artefacts, find damage, fill it, make the picture larger. */
export type NetTask = 'restore' | 'mask' | 'fill' | 'upscale';

/** How much time a restoration may take; it picks the nets and their passes. */
export const QUALITIES = ['FAST', 'BALANCED', 'BEST'] as const;
export type Quality = (typeof QUALITIES)[number];

export interface NetRun {
  /** 0–1 for every control plane of the net: one value for the whole picture, or a grey raster of the picture's size. */
  readonly controls: Readonly<Record<string, number | Raster>>;
  /** Share of the net's answer in the result, 0–1; the rest is the source. Only for nets that keep the size. Default 1. */
  readonly share?: number;
  /** Tiles that have not begun are dropped when it fires. */
  readonly signal: AbortSignal;
  /** Share of the tiles that are done, 0–1. */
  readonly onProgress?: (done: number) => void;
}

/** A net that is there and ready to be used. */
export interface PictureNet {
  /** As in its manifest, e.g. `restore-fast`. */
  readonly name: string;
  readonly task: NetTask;
  /** How many times larger each side of `target` is than that of `source`. */
  readonly scale: 1 | 2 | 4;
  /** Names of the planes that it takes beside the colours, in the order of its input. */
  readonly controls: readonly string[];
  /** Milliseconds per megapixel of the source on a common machine: its weight in the progress. */
  readonly cost: number;
  /**
   * Works through the whole picture, tile by tile, on a thread of its own, and writes into `target`: colours of a restored, filled or
   * enlarged picture, or the one channel of a mask. Alpha is not touched. Rejects with the signal's reason, or with AppError
   * MODEL_UNAVAILABLE or INTERNAL_SERVER_ERROR, or with NoPicture where its answer is none; only when nobody writes into `target` any more.
   */
  run(source: Raster, target: Raster, run: NetRun): Promise<void>;
}

/** The nets that ship with Heirloom. */
export interface Nets {
  /**
   * Once it has resolved, what `find` answers for these tasks at this quality has been loaded and tried on this machine. Never
   * rejects.
   */
  ready?(tasks: readonly NetTask[], quality: Quality): Promise<void>;
  /**
   * What of the nets for these tasks cannot be used on this machine, why, and what happens instead, in plain sentences;
   * undefined where nothing is missing. Waits until each has been tried. Rejects with the signal's reason only.
   */
  missing?(tasks: readonly NetTask[], signal: AbortSignal): Promise<string | undefined>;
  /** The best one for the task at this quality, or undefined where none can be used on this machine: the classical step has its place. */
  find(task: NetTask, quality: Quality): PictureNet | undefined;
}

/** Where none can be used: every step takes its classical way. */
export const NO_NETS: Nets = { find: () => undefined };
