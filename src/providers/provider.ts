import type { Repair } from '../imaging/damage-mask.ts';
import type { Quality } from '../imaging/nets.ts';
import type { Raster } from '../imaging/raster.ts';
import type { RestorationStage } from '../imaging/pipeline.ts';
import type { RestorationReport } from '../imaging/report.ts';

/** What a model is for; a person filters the list of models by it. */
export const CAPABILITIES = {
  RESTORE: 'Looks at the photo and does what it needs.',
  ENHANCE: 'Improves the picture as a whole.',
  TONE: 'Brings back contrast and colour.',
  DENOISE: 'Removes grain and compression artefacts.',
  REPAIR: 'Repairs scratches, dust and tears.',
  COLOURISE: 'Gives a black and white photo colours.',
  FACE: 'Restores faces.',
  UPSCALE: 'Makes the picture larger.',
} as const;
export type Capability = keyof typeof CAPABILITIES;

/** The options of a restoration that a model may understand; how the result is encoded is never its concern. */
export const MODEL_OPTIONS = ['strength', 'upscale', 'quality', 'repair', 'mask'] as const;
export type ModelOption = (typeof MODEL_OPTIONS)[number];

/** What `parameters` of a request may say to one model. */
export interface ProviderParameter {
  readonly type: 'number' | 'integer';
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  /** One plain sentence. */
  readonly description: string;
}

/** A model that a provider brings along without any configuration. */
export interface ProviderModel {
  /** The provider's own name for it, e.g. `auto`: what comes back in `RestoreRequest.model`. */
  readonly name: string;
  /** For people, e.g. “Automatic restoration”. */
  readonly title: string;
  /** One or two sentences: what it does and what it does not. */
  readonly description: string;
  readonly capability: Capability;
  readonly tags: readonly string[];
  readonly version: string;
  /** SPDX id of the code or weights. */
  readonly licence: string;
  /** Which of the common options it takes; one that is not listed is refused before the provider sees it. */
  readonly options: readonly ModelOption[];
  /** Values of `upscale` it takes, the default first; the result is that many times wider and higher. */
  readonly upscales: readonly (1 | 2 | 4)[];
  /** Working memory in bytes, at its peak: `input` per pixel of the photo plus `output` per pixel of the result. */
  readonly bytesPerPixel: { readonly input: number; readonly output: number };
  /** What only this model knows, by name; default: nothing. */
  readonly parameters?: Readonly<Record<string, ProviderParameter>>;
}

export interface RestoreOptions {
  /** 0–1: 0 is the photo as it came, plainly enlarged where that was asked for; 1 the full effect. Default 1. */
  readonly strength?: number;
  /** How many times larger each side becomes. Default: the model's first. */
  readonly upscale?: 1 | 2 | 4;
  /** How much time it may take. Default BALANCED. */
  readonly quality?: Quality;
  /** Whether damage is looked for: AUTO (default) where the photo calls for it, OFF never, FORCE always. */
  readonly repair?: Repair;
}

export interface RestoreRequest {
  /** Opaque. With `attempt` it makes a key under which a remote side can recognise a repeated submit. */
  readonly restorationId: string;
  /** Counts from 1; a retry has the next number. */
  readonly attempt: number;
  /** The provider's own model name. */
  readonly model: string;
  /** What only this model knows, already checked against the registry's entry, defaults filled in. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly options: RestoreOptions;
  /** A local file that has passed inspection. Read it as often as you like; never write, move or delete it. */
  readonly input: {
    readonly path: string;
    /** As inspection names it: `jpeg`, `png`, `webp`, `tiff`, `gif`, `avif`, `bmp`. */
    readonly format: string;
    /** As displayed, after the EXIF orientation. */
    readonly width: number;
    readonly height: number;
    readonly bytes: number;
    readonly mimeType: string;
  };
  /**
   * Damage as the owner of the photo has marked it, for models that take `mask`: a local grey PNG of the photo's size as
   * displayed, white = damaged. Read it only.
   */
  readonly mask?: { readonly path: string };
}

export interface RestoreProgress {
  readonly stage: RestorationStage;
  /** 0–100 of this attempt, from real work (tiles, steps, the remote side's own count), never lower than before. */
  readonly percent: number;
  /** Whole seconds, only where the remote side says so; the caller works one out from the percent otherwise. */
  readonly etaSeconds?: number;
  /** A short plain sentence, e.g. “Third in the queue”. */
  readonly message?: string;
}

export interface RestoreContext {
  /** Fires on cancel, time-out and shutdown. Stop within half a second and throw the signal's reason. */
  readonly signal: AbortSignal;
  /** May be called as often as you like; the caller throttles. Must not be called after `restore` has settled. */
  readonly onProgress: (progress: RestoreProgress) => void;
}

export interface RestoreResult {
  /**
   * The picture, upright, sRGB or grey: samples in memory, or a local file. The caller inspects it (a result is trusted
   * no more than an upload), encodes it in the format that was asked for, and deletes the file.
   */
  readonly picture:
    | {
        readonly kind: 'raster';
        readonly raster: Raster;
        /** The raster is the photo as it was, so that the caller may hand out the file of the photo itself. */
        readonly unchanged?: boolean;
      }
    | { readonly kind: 'file'; readonly path: string };
  /** What was filled, where the provider can tell: grey, 8 bits, of the photo's size, white = filled. */
  readonly mask?: Raster;
  /** What was done and why, in plain words, for the owner of the photo; no steps where the provider cannot tell. */
  readonly report: RestorationReport;
  /** What an operator may want later (remote job id, cost, version). No secrets, no links with tokens. */
  readonly providerMetadata?: Readonly<Record<string, unknown>>;
}

export interface ProviderStatus {
  readonly available: boolean;
  /** Why not, in one sentence an operator can act on. */
  readonly reason?: string;
}

/**
 * What runs models: this machine, a model server, a hosted service.
 *
 * To write one: export `createX(deps): Provider` from its own file, run `describeProvider` (tests/contracts/provider.ts)
 * on it, and add one line where providers are listed in `mechanisms.ts`. Keep it plain: time-outs, retries, circuit breaking and
 * fail-over are wrapped around every provider by the caller, so `restore` tries once and throws.
 *
 * Throw `AppError` with a `PROVIDER_*` code for what the remote side does wrong (with `retryAfter` where it says so),
 * `BAD_USER_INPUT` for a request that can never work, the signal's reason when aborted. Whatever else is thrown is
 * taken for a fault of the provider's code.
 */
export interface Provider {
  /** Stable, lower case, e.g. `builtin`: the prefix of model ids and the name in logs, metrics and errors. */
  readonly id: string;
  /** Models it brings along. Models that need configuration come from the registry and are not listed here. */
  models(): readonly ProviderModel[];
  /**
   * Cheap enough to ask every few seconds; never throws except when aborted.
   *
   * @param model one of its own: whether just that one can be used. Absent: whether the provider is up.
   */
  status(signal: AbortSignal, model?: string): Promise<ProviderStatus>;
  /**
   * What one of its own models has to do without on this machine though it can be used, in plain sentences; undefined where
   * it lacks nothing. May take seconds when it is asked first; never throws except when aborted. Default: nothing.
   */
  note?(signal: AbortSignal, model: string): Promise<string | undefined>;
  /** One try at one photo. Holds no state between calls; several run at once. */
  restore(request: RestoreRequest, context: RestoreContext): Promise<RestoreResult>;
  /** Releases workers, sessions and sockets; calls under way are aborted. */
  close?(): Promise<void>;
}
