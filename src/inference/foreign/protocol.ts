import type { RasterShape } from '../../imaging/raster.ts';
import type { Manifest } from '../manifest.ts';
import type { Facts } from './facts.ts';
import type { ExecutionProvider } from './session.ts';

/** Bytes of pictures go over this descriptor, both ways; everything else over Node's own channel. */
export const PICTURES = 3;

/** Loads a model; the first message, once. */
export interface OpenRequest {
  readonly kind: 'open';
  readonly path: string;
  /** Absent: only what the file says of itself is asked for. */
  readonly manifest?: Manifest | undefined;
  /** The model that finds faces for it. */
  readonly detector?: { readonly path: string; readonly manifest: Manifest } | undefined;
  readonly executionProviders: readonly ExecutionProvider[];
  /** Resident memory in bytes at which the process ends itself. */
  readonly maxMemory: number;
}

/** Has the model answer a plain grey picture, to see whether it can. */
export interface ProbeRequest {
  readonly kind: 'probe';
}

export interface RunOptions {
  /** 0–1: how much of what the model did is in the result; the rest is the source. */
  readonly strength: number;
  /** For the inputs under `parameters` in the manifest. */
  readonly parameters: Readonly<Record<string, number>>;
}

/** One picture; its samples follow, and then those of the mask where there is one: one byte a pixel, from 128 on = damaged. */
export interface RunRequest extends RunOptions {
  readonly kind: 'run';
  readonly shape: RasterShape;
  readonly masked: boolean;
}

export type Request = OpenRequest | ProbeRequest | RunRequest;

export type Reply =
  | {
      readonly kind: 'opened';
      readonly facts: Facts;
      readonly sha256: string;
      readonly bytes: number;
      readonly notes: readonly string[];
    }
  | { readonly kind: 'probed' }
  /** The model cannot be used; a sentence that says why and what to do. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** A tile begins; `done` of `total` lie behind. */
  | { readonly kind: 'tile'; readonly done: number; readonly total: number }
  /** Its samples follow. */
  | { readonly kind: 'done'; readonly shape: RasterShape }
  | { readonly kind: 'failed'; readonly code: FailureCode; readonly reason: string };

/**
 * NO_PICTURE: what the model answered is the size of a picture and none; the reason goes on after “it”. NOTHING_TO_DO: the photo does
 * not show what the model is for.
 */
export type FailureCode =
  | 'NO_PICTURE'
  | 'NOTHING_TO_DO'
  | 'PROVIDER_REJECTED'
  | 'INSUFFICIENT_MEMORY'
  | 'PROVIDER_UNAVAILABLE'
  | 'BAD_USER_INPUT';

/** Written to standard error before the process ends itself for the memory it takes. */
export const OVER_MEMORY = 'over the memory limit';
