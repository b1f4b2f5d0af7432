import type { Effect } from '../../imaging/gate/gate.ts';
import type { RestorationStage } from '../../imaging/pipeline.ts';
import type { Manifest, ModelTask } from '../../inference/manifest.ts';
import type { Capability, ModelOption, ProviderModel, ProviderParameter } from '../provider.ts';
import type { ShelfEntry } from './shelf.ts';

interface TaskFacts {
  readonly capability: Capability;
  readonly stage: RestorationStage;
  readonly options: readonly ModelOption[];
  /** What it is there to change; the gate holds it to the rest. */
  readonly effect: Effect;
  /** What was asked of it, for the owner of the photo. */
  asked(manifest: Manifest): string;
}

/** What a person is told of a model, by its task. */
export const TASK_FACTS: Readonly<Record<ModelTask, TaskFacts>> = {
  restore: {
    capability: 'DENOISE',
    stage: 'DENOISING',
    options: ['strength'],
    effect: 'redrawn',
    asked: ({ title }) => `Restoring by ${title} was asked for.`,
  },
  upscale: {
    capability: 'UPSCALE',
    stage: 'UPSCALING',
    options: [],
    // Not `size`: what enlarges old photos well takes their grain, blur and JPEG out with it.
    effect: 'redrawn',
    asked: ({ title, scale }) => `Enlarging ×${scale} by ${title} was asked for.`,
  },
  colourise: {
    capability: 'COLOURISE',
    stage: 'COLOURING',
    options: ['strength'],
    effect: 'colours',
    asked: ({ title }) => `Colours by ${title} were asked for; they are a guess.`,
  },
  fill: {
    capability: 'REPAIR',
    stage: 'REPAIRING',
    options: ['strength', 'mask'],
    effect: 'places',
    asked: ({ title }) => `Filling what the mask covers by ${title} was asked for; it is a guess.`,
  },
  face: {
    capability: 'FACE',
    stage: 'FACES',
    options: ['strength'],
    effect: 'faces',
    asked: ({ title }) => `Faces by ${title} were asked for; their detail is a guess.`,
  },
  detect: {
    capability: 'FACE',
    stage: 'FACES',
    options: [],
    effect: 'places',
    asked: ({ title }) => `Finding faces by ${title} was asked for.`,
  },
  mask: {
    capability: 'REPAIR',
    stage: 'REPAIRING',
    options: [],
    effect: 'places',
    asked: ({ title }) => `Finding damage by ${title} was asked for.`,
  },
};

function parametersOf({ parameters }: Manifest): Record<string, ProviderParameter> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { type, default: value, minimum, maximum, description }]) => [
      name,
      { type: type === 'int64' ? 'integer' : 'number', default: value, minimum, maximum, description },
    ]),
  );
}

/** How an entry of the folder stands in the list of models, also one that cannot be used. */
export function describe(entry: ShelfEntry): ProviderModel {
  if (entry.kind === 'broken') {
    return {
      name: entry.name,
      title: entry.name,
      description: 'A file in the folder of models that cannot be used.',
      capability: 'ENHANCE',
      tags: ['own'],
      version: '0',
      licence: 'NOASSERTION',
      options: [],
      upscales: [1],
      bytesPerPixel: { input: 8, output: 8 },
    };
  }
  const { name, title, description, task, scale, version, licence } = entry.manifest;
  const { capability, options } = TASK_FACTS[task];
  return {
    name,
    title,
    description,
    capability,
    tags: ['own', 'offline'],
    version,
    licence,
    options,
    upscales: [scale],
    parameters: parametersOf(entry.manifest),
    // Both pictures here and in the process of the model, and what stands in the pipe.
    bytesPerPixel: { input: 16, output: 16 },
  };
}
