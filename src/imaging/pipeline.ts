import type { Repair } from './damage-mask.ts';
import { createHarmGate, type Demand, type Effect, type HarmGate } from './gate/gate.ts';
import { conclude, type Tried, type Whole } from './gate/verdict.ts';
import type { Measurements } from './measure/measurements.ts';
import type { Nets, PictureNet, Quality } from './nets.ts';
import { NoPicture } from './no-picture.ts';
import type { PixelPool } from './pixels/pool.ts';
import { createRaster, type Raster } from './raster.ts';
import type { RestorationReport } from './report.ts';

/** What a person is told while a restoration runs, in the order in which it usually happens. */
export const RESTORATION_STAGES = [
  'PREPARING',
  'UPLOADING',
  'WAITING_FOR_PROVIDER',
  'REPAIRING',
  'DENOISING',
  'COLOURING',
  'FACES',
  'UPSCALING',
  'FINISHING',
] as const;
export type RestorationStage = (typeof RESTORATION_STAGES)[number];

export interface StepOptions {
  /** 0 leaves the photo as it is, or enlarges it plainly; 1 is the full effect. */
  readonly strength: number;
  /** How many times larger each side becomes. */
  readonly upscale: 1 | 2 | 4;
  /** Which nets, and how many passes. Default BALANCED. */
  readonly quality?: Quality;
  /** Default AUTO. */
  readonly repair?: Repair;
  /** Damage as the owner of the photo has marked it: grey, of its size, white = damaged. Nothing else is repaired then. */
  readonly mask?: Raster;
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
      /** What does the work where it is a net; the step sees it as `context.net`, whatever has become of the others since. */
      readonly net?: PictureNet | undefined;
      /** The owner said where or that it is to be done, so that the gate does not ask how much of the photo it covers. */
      readonly demanded?: Demand | undefined;
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
  /** The net that `plan` settled on; absent = the classical way. */
  readonly net?: PictureNet | undefined;
}

/** What a step has done where the raster alone does not say it. */
export interface StepOutcome {
  readonly raster: Raster;
  /** False when it turned out that there was nothing to do; default true. */
  readonly ran?: boolean;
  /** In place of that of the plan. */
  readonly reason?: string;
  /** Why nothing of it can be used, e.g. “it answered values that are no numbers”: the raster is of the size asked for, and no more. */
  readonly useless?: string;
  /** What was repaired: grey, 8 bits, of the raster's size, white = filled. */
  readonly mask?: Raster;
}

/**
 * One stage of the work on a picture. `plan` is pure and looks only at measurements and at which nets there are, so that it
 * can be tested and shown before any pixel is touched; `run` returns a new raster (or the one it was given) and never writes
 * into its input.
 */
export interface Step {
  readonly name: string;
  readonly stage: RestorationStage;
  /** What it is there to change; the gate holds it to the rest. Default: what its stage says. */
  readonly effect?: Effect;
  plan(measurements: Measurements, options: StepOptions, nets: Nets): StepPlan;
  run(raster: Raster, context: StepContext): Promise<Raster | StepOutcome>;
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
  readonly nets: Nets;
  readonly measurements: Measurements;
  readonly options: StepOptions;
}

/** What the steps of a stage are there to change. */
const EFFECTS: Readonly<Record<RestorationStage, Effect>> = {
  PREPARING: 'detail',
  UPLOADING: 'detail',
  WAITING_FOR_PROVIDER: 'detail',
  REPAIRING: 'places',
  DENOISING: 'grain',
  COLOURING: 'tone',
  FACES: 'faces',
  UPSCALING: 'size',
  FINISHING: 'detail',
};

/**
 * Runs those steps that the measurements call for, in order, and says of each what it did and why. After each one, and at the
 * end, the gate compares the picture with what it was: work that did harm is lowered or left out. Where nothing remains, the
 * raster that comes back is the input itself. The signal is looked at between steps and, by the steps themselves, between strips.
 * Throws the signal's reason when it fires.
 */
export async function runPipeline(
  steps: readonly Step[],
  input: Raster,
  { signal, onProgress, pixels, nets, measurements, options }: PipelineOptions,
): Promise<GatedResult> {
  const context = { signal, pixels, measurements, options };
  const works = steps.map((step): PlannedWork => {
    const plan = step.plan(measurements, options, nets);
    const { strength, net } = plan.run ? plan : { strength: 0 };
    const effect = effectOf(step, measurements);
    const factor = effect === 'size' ? options.upscale : 1;
    const run: PlannedWork['run'] = async (raster, tell) => {
      try {
        return await step.run(raster, { ...context, onProgress: tell, strength, net });
      } catch (error) {
        if (error instanceof NoPicture) return uselessOf(error, raster, factor);
        throw error;
      }
    };
    return { name: step.name, stage: step.stage, effect, plan, run };
  });
  return runGated(works, input, { signal, onProgress, pixels, quality: options.quality });
}

/** What is left of work that came to no picture: the gate gives what it was made from, or a plain enlargement of that. */
export function uselessOf({ message }: NoPicture, raster: Raster, factor: number): StepOutcome {
  const { width, height } = raster;
  const enlarged = { ...raster, width: width * factor, height: height * factor };
  return { raster: factor === 1 ? raster : createRaster(enlarged), useless: `it ${message}` };
}

/** A step that knows already what it has to do. */
export interface PlannedWork {
  readonly name: string;
  readonly stage: RestorationStage;
  readonly effect: Effect;
  readonly plan: StepPlan;
  /** As that of `Step`; `onProgress` is told the share of this work that is done, 0–1. */
  run(raster: Raster, onProgress: (done: number) => void): Promise<Raster | StepOutcome>;
}

export interface GatedOptions extends Pick<PipelineOptions, 'signal' | 'onProgress' | 'pixels'> {
  /** How finely work that does harm is lowered. Default BALANCED. */
  readonly quality?: Quality | undefined;
}

export interface GatedResult {
  readonly raster: Raster;
  readonly report: RestorationReport;
  readonly mask: Raster | undefined;
}

/** `runPipeline` for work that is planned already. */
export async function runGated(
  works: readonly PlannedWork[],
  input: Raster,
  options: GatedOptions,
): Promise<GatedResult> {
  const release = options.pixels.hold();
  try {
    return await runAll(works, input, options);
  } finally {
    release();
  }
}

async function runAll(
  works: readonly PlannedWork[],
  input: Raster,
  { signal, onProgress, pixels, quality = 'BALANCED' }: GatedOptions,
): Promise<GatedResult> {
  const gate = createHarmGate({ pixels, quality });
  const total = works.reduce((sum, { plan }) => sum + (plan.run ? plan.weight : 0), 0);
  const tried: Tried[] = [];
  let raster = input;
  /** What the whole is compared with: filled places are judged for themselves, and would look like lost structure. */
  let since = input;
  let mask: Raster | undefined;
  let finished = 0;
  let percent = 0;

  for (const { name, stage, effect, plan, run } of works) {
    if (!plan.run) {
      tried.push({ name, strength: 0, reason: plan.reason, judged: undefined });
      continue;
    }
    signal.throwIfAborted();
    const tell = (done: number): void => {
      const share = plan.weight * Math.min(1, Math.max(0, done));
      percent = Math.max(percent, (100 * (finished + share)) / total);
      onProgress({ stage, percent });
    };
    tell(0);
    const made = await run(raster, tell);
    const { ran = true, reason = plan.reason, ...outcome }: StepOutcome = 'data' in made ? { raster: made } : made;
    const { demanded } = plan;
    const work = { before: raster, after: outcome.raster, effect, demanded, step: name, useless: outcome.useless };
    const judged = ran ? await gate.judge(work, signal) : undefined;
    tell(1);
    finished += plan.weight;
    const asPlanned = { name, strength: plan.strength, reason };
    if (judged === undefined) {
      tried.push({ ...asPlanned, judged });
      continue;
    }
    // What is small in a large photo stays: it may be all that its owner wanted.
    const settled = effect === 'places' || effect === 'faces';
    const resized = judged.raster.width !== raster.width;
    raster = judged.raster;
    // Without its raster, which is as large as the photo: only the last one is needed.
    const { share, measures, failed } = judged;
    tried.push({ ...asPlanned, judged: { share, measures, failed }, settled, resized });
    if (share > 0) mask = outcome.mask ?? mask;
    if (settled) since = raster;
  }
  const whole = await judgeWhole(gate, { input, since, raster }, tried, signal);
  signal.throwIfAborted();
  return {
    raster: whole.judged.raster,
    report: conclude(tried, whole),
    mask: whole.untouched ? undefined : mask,
  };
}

function effectOf({ effect, stage }: Step, { jpeg }: Measurements): Effect {
  const usual = effect ?? EFFECTS[stage];
  return usual === 'grain' && jpeg.visible ? 'blocks' : usual;
}

/**
 * Compares the result with the photo; where next to nothing has changed, the photo itself is the better result. What was
 * repaired stays: a speck that is gone is next to nothing of a large photo, and all that its owner wanted.
 */
async function judgeWhole(
  gate: HarmGate,
  { input, since, raster }: Readonly<Record<'input' | 'since' | 'raster', Raster>>,
  tried: readonly Tried[],
  signal: AbortSignal,
): Promise<Whole> {
  const worked = tried.flatMap(({ judged }) => (judged === undefined || judged.share === 0 ? [] : [judged]));
  const { measures = [] } = worked.at(-1) ?? {};
  if (since !== raster && (await gate.isSame(since, raster, signal))) {
    const { measures: known = [] } = tried.findLast(({ settled }) => settled === true)?.judged ?? {};
    return { judged: { raster: since, share: 0, measures: known, failed: [] }, untouched: since === input };
  }
  if (raster === input) return { judged: { raster, share: 0, measures: [], failed: [] }, untouched: true };
  // What one step did has been compared already.
  if (since === raster || worked.length === 1) {
    return { judged: { raster, share: 1, measures, failed: [] }, untouched: false };
  }
  const judged = await gate.judge({ before: since, after: raster, effect: 'whole', step: null }, signal);
  return { judged, untouched: judged.raster === input };
}
