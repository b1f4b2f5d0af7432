import type { Measurements } from './measure/measurements.ts';
import type { PixelPool } from './pixels/pool.ts';
import type { Raster } from './raster.ts';

/** What a person is told while a restoration runs, in the order in which it usually happens. */
export const RESTORATION_STAGES = [
  'PREPARING',
  'UPLOADING',
  'WAITING_FOR_PROVIDER',
  'REPAIRING',
  'DENOISING',
  'COLOURING',
  'UPSCALING',
  'FINISHING',
] as const;
export type RestorationStage = (typeof RESTORATION_STAGES)[number];

export interface StepOptions {
  /** 0 leaves the photo as it is, 1 is the full effect. */
  readonly strength: number;
  /** How many times larger each side becomes. */
  readonly upscale: 1 | 2 | 4;
}

/** What a step makes of the measurements: whether the photo calls for it, how strongly, at what cost, and why. */
export type StepPlan =
  | { readonly run: false; readonly reason: string }
  | {
      readonly run: true;
      /** 0–1, from the evidence; the step sees it as `context.strength`. */
      readonly strength: number;
      /** Expected cost against the other steps that run, e.g. milliseconds per megapixel. Progress is shared out by it. */
      readonly weight: number;
      /** One plain sentence for the person whose photo it is. */
      readonly reason: string;
    };

export interface StepContext {
  readonly signal: AbortSignal;
  /** Share of this step's own work that is done, 0–1. */
  readonly onProgress: (done: number) => void;
  readonly pixels: PixelPool;
  /** Of the photo before the first step. */
  readonly measurements: Measurements;
  readonly options: StepOptions;
  /** What `plan` settled on. */
  readonly strength: number;
}

/**
 * One stage of the work on a picture. `plan` is pure and looks only at measurements, so that it can be tested and shown
 * before any pixel is touched; `run` returns a new raster (or the one it was given) and never writes into its input.
 */
export interface Step {
  readonly name: string;
  readonly stage: RestorationStage;
  plan(measurements: Measurements, options: StepOptions): StepPlan;
  run(raster: Raster, context: StepContext): Promise<Raster>;
}

/** What a step did to the photo, kept with the restoration and shown to its owner. */
export interface StepReport {
  readonly name: string;
  readonly ran: boolean;
  /** 0–1; 0 where it did not run. */
  readonly strength: number;
  /** One plain sentence: why it ran or did not. */
  readonly reason: string;
}

export interface Progress {
  readonly stage: RestorationStage;
  /** Of the whole, 0–100, never lower than before. */
  readonly percent: number;
}

export interface PipelineOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly pixels: PixelPool;
  readonly measurements: Measurements;
  readonly options: StepOptions;
}

/**
 * Runs those steps that the measurements call for, in order, and says of each what it did and why. The signal is looked
 * at between steps and, by the steps themselves, between strips. Throws the signal's reason when it fires.
 */
export async function runPipeline(
  steps: readonly Step[],
  input: Raster,
  { signal, onProgress, pixels, measurements, options }: PipelineOptions,
): Promise<{ raster: Raster; report: StepReport[] }> {
  const plans = steps.map((step) => ({ step, plan: step.plan(measurements, options) }));
  const total = plans.reduce((sum, { plan }) => sum + (plan.run ? plan.weight : 0), 0);
  const report: StepReport[] = [];
  let raster = input;
  let finished = 0;
  let percent = 0;

  for (const { step, plan } of plans) {
    if (!plan.run) {
      report.push({ name: step.name, ran: false, strength: 0, reason: plan.reason });
      continue;
    }
    signal.throwIfAborted();
    const tell = (done: number): void => {
      const share = plan.weight * Math.min(1, Math.max(0, done));
      percent = Math.max(percent, (100 * (finished + share)) / total);
      onProgress({ stage: step.stage, percent });
    };
    tell(0);
    raster = await step.run(raster, {
      signal,
      onProgress: tell,
      pixels,
      measurements,
      options,
      strength: plan.strength,
    });
    tell(1);
    finished += plan.weight;
    report.push({ name: step.name, ran: true, strength: plan.strength, reason: plan.reason });
  }
  signal.throwIfAborted();
  return { raster, report };
}
