import { AppError } from '../errors.ts';
import { readMask } from '../imaging/damage-mask.ts';
import { fileQuality } from '../imaging/file-quality.ts';
import { FORMATS, type ImageFormat } from '../imaging/limits.ts';
import { measure } from '../imaging/measure/measure.ts';
import type { Measurements } from '../imaging/measure/measurements.ts';
import { NO_NETS, type Nets, type NetTask } from '../imaging/nets.ts';
import { runPipeline, type Step, type StepOptions } from '../imaging/pipeline.ts';
import { createPixelPool, type PixelPool } from '../imaging/pixels/pool.ts';
import { readPicture } from '../imaging/read.ts';
import type { StepReport } from '../imaging/report.ts';
import { denoise } from '../imaging/steps/denoise.ts';
import { repair, repairAlone } from '../imaging/steps/repair.ts';
import { sharpen } from '../imaging/steps/sharpen.ts';
import { tone } from '../imaging/steps/tone.ts';
import { upscale } from '../imaging/steps/upscale.ts';
import type { Gate } from '../limits/gate.ts';
import type {
  Provider,
  ProviderModel,
  RestoreContext,
  RestoreOptions,
  RestoreRequest,
  RestoreResult,
} from './provider.ts';

interface BuiltinModel extends ProviderModel {
  readonly steps: readonly Step[];
  /** What it would use nets for. */
  readonly nets: readonly NetTask[];
}

const COMMON = { version: '1', licence: 'MIT', bytesPerPixel: { input: 40, output: 12 } } as const;

/** Every built-in model is a list of steps; each step decides by the measurements whether the photo calls for it. */
const MODELS: readonly BuiltinModel[] = [
  {
    ...COMMON,
    name: 'auto',
    title: 'Automatic restoration',
    description:
      'Measures noise, fading, colour cast and sharpness, and mends only what the photo calls for. Fills scratches and dust in soft and grainy photos, where they can be told from what the photo shows. A photo without damage comes back as it is. Invents nothing.',
    capability: 'RESTORE',
    tags: ['default', 'offline'],
    options: ['strength', 'upscale', 'quality', 'repair', 'mask'],
    upscales: [1, 2, 4],
    steps: [repair, denoise, tone, sharpen, upscale],
    nets: ['restore', 'mask', 'upscale'],
  },
  {
    ...COMMON,
    name: 'repair',
    title: 'Scratches and dust',
    description:
      'Finds scratches, hairs and dust and fills them from what is around them; changes nothing else. With `mask` it fills what you have marked. Does not bring back what a tear has taken away.',
    capability: 'REPAIR',
    tags: ['offline'],
    options: ['strength', 'quality', 'repair', 'mask'],
    upscales: [1],
    steps: [repairAlone],
    nets: ['mask'],
  },
  {
    ...COMMON,
    name: 'denoise',
    title: 'Grain and JPEG artefacts',
    description:
      'Takes out film grain, sensor noise and what strong JPEG compression leaves, as far as they were measured; changes nothing else.',
    capability: 'DENOISE',
    tags: ['offline'],
    options: ['strength', 'quality'],
    upscales: [1],
    steps: [denoise],
    nets: ['restore'],
  },
  {
    ...COMMON,
    name: 'tone',
    title: 'Fade and colour cast',
    description:
      'Brings back contrast and colour of a faded photo; leaves grain and sharpness alone. Black and white stays black and white.',
    capability: 'TONE',
    tags: ['offline'],
    options: ['strength'],
    upscales: [1],
    bytesPerPixel: { input: 24, output: 0 },
    steps: [tone],
    nets: [],
  },
  ...([2, 4] as const).map((factor): BuiltinModel => ({
    ...COMMON,
    name: `upscale-${factor}x`,
    title: `Enlarge ×${factor}`,
    description: `Makes each side ${factor} times as long and changes nothing else: with a net where one can be used, otherwise with Lanczos. At strength 0 it is a plain enlargement.`,
    capability: 'UPSCALE',
    tags: ['offline'],
    options: ['strength', 'quality'],
    upscales: [factor],
    bytesPerPixel: { input: 16, output: 12 },
    steps: [upscale],
    nets: ['upscale'],
  })),
];

/** What the model `auto` at full strength makes of these measurements, without looking at a pixel. */
export function planAuto(measurements: Measurements, nets: Nets): StepReport[] {
  const { steps = [] } = MODELS.find(({ name }) => name === 'auto') ?? {};
  return steps.map(({ name, plan: planStep }) => {
    const plan = planStep(measurements, { strength: 1, upscale: 1 }, nets);
    return { name, ran: plan.run, strength: plan.run ? plan.strength : 0, reason: plan.reason };
  });
}

/** Share of the percent that reading and measuring take; the steps have the rest. */
const PREPARING = 8;

export interface BuiltinOptions {
  /** Shared with others if given, and then not closed by `close`. Default: its own, one thread per core. */
  readonly pixels?: PixelPool;
  /** Pixels of the largest result; a larger one is refused with BAD_USER_INPUT. Default 100 million. */
  readonly maxResultPixels?: number;
  /** What decoding waits for, weighed in bytes. Default: nothing. */
  readonly decoding?: Gate;
  /** Default: none, and every step takes its classical way. */
  readonly nets?: Nets;
}

/** The provider that needs nothing but this machine: classical image processing, gated by measurements so that it does no harm. */
export function createBuiltinProvider({
  pixels: shared,
  maxResultPixels = 100e6,
  decoding,
  nets = NO_NETS,
}: BuiltinOptions = {}): Provider {
  const pixels = shared ?? createPixelPool();
  const closing = new AbortController();

  async function restore(request: RestoreRequest, context: RestoreContext): Promise<RestoreResult> {
    const model = MODELS.find(({ name }) => name === request.model);
    if (model === undefined) {
      throw new AppError('UNKNOWN_MODEL', `The built-in provider has no model “${request.model}”.`, {
        provider: 'builtin',
      });
    }
    const signal = AbortSignal.any([context.signal, closing.signal]);
    const options = checkOptions(model, request.options);
    const { width, height } = request.input;
    if (width * height * options.upscale ** 2 > maxResultPixels) {
      throw new AppError(
        'BAD_USER_INPUT',
        `Enlarging this photo ×${options.upscale} would make more than ${Math.round(maxResultPixels / 1e6)} megapixels. Choose a smaller enlargement.`,
        { field: 'input.options.upscale' },
      );
    }
    const tell = (percent: number): void => context.onProgress({ stage: 'PREPARING', percent });
    tell(0);
    // The first photo has them loaded and tried while it is read and measured.
    const ready = nets.ready?.(tasksOf(model, options, request.mask !== undefined), options.quality ?? 'BALANCED');
    const input = await readPicture(request.input.path, formatOf(request.input.format), {
      signal,
      whenRoom: decoding && ((bytes, decode) => decoding.run(bytes, signal, decode)),
    });
    const mask = request.mask && (await readMask(request.mask.path, signal));
    tell(PREPARING / 2);
    const { path, format } = request.input;
    const measurements = await measure(input, {
      pixels,
      signal,
      fileQuality: await fileQuality(path, format, signal),
    });
    await ready;
    tell(PREPARING);
    const {
      raster,
      report,
      mask: repaired,
    } = await runPipeline(model.steps, input, {
      signal,
      pixels,
      nets,
      measurements,
      options: mask === undefined ? options : { ...options, mask },
      onProgress: ({ stage, percent }) =>
        context.onProgress({ stage, percent: PREPARING + (percent * (100 - PREPARING)) / 100 }),
    });
    context.onProgress({ stage: 'FINISHING', percent: 100 });
    return {
      picture: { kind: 'raster', raster, unchanged: raster === input },
      report,
      ...(repaired === undefined ? {} : { mask: repaired }),
    };
  }

  return {
    id: 'builtin',
    models: () => MODELS.map(({ steps: _steps, nets: _nets, ...model }) => model),
    async status(signal) {
      signal.throwIfAborted();
      return closing.signal.aborted ? { available: false, reason: 'The service is stopping.' } : { available: true };
    },
    async note(signal, name) {
      signal.throwIfAborted();
      const { nets: tasks = [] } = MODELS.find((model) => model.name === name) ?? {};
      return tasks.length === 0 ? undefined : nets.missing?.(tasks, signal);
    },
    restore,
    async close() {
      closing.abort();
      if (shared === undefined) await pixels.close();
    },
  };
}

/** What it will use nets for, as far as the options tell. */
function tasksOf({ nets }: BuiltinModel, { upscale: factor, repair: asked }: StepOptions, masked: boolean): NetTask[] {
  const idle: Partial<Record<NetTask, boolean>> = { upscale: factor === 1, mask: masked || asked === 'OFF' };
  return nets.filter((task) => idle[task] !== true);
}

function checkOptions(
  model: BuiltinModel,
  {
    strength = 1,
    upscale: factor = model.upscales[0] ?? 1,
    quality = 'BALANCED',
    repair: asked = 'AUTO',
  }: RestoreOptions,
): StepOptions {
  if (!(strength >= 0 && strength <= 1)) {
    throw new AppError('BAD_USER_INPUT', 'Strength must be between 0 and 1.', { field: 'input.options.strength' });
  }
  if (!model.upscales.includes(factor)) {
    const takes = model.upscales.map((one) => `×${one}`).join(', ');
    throw new AppError('BAD_USER_INPUT', `“${model.title}” enlarges by ${takes} only.`, {
      field: 'input.options.upscale',
    });
  }
  return { strength, upscale: factor, quality, repair: asked };
}

function formatOf(format: string): ImageFormat {
  if (isFormat(format)) return format;
  throw new AppError('UNSUPPORTED_IMAGE', `The built-in provider cannot read “${format}”.`);
}

function isFormat(format: string): format is ImageFormat {
  return Object.hasOwn(FORMATS, format);
}
