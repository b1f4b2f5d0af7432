import type { RestorationStage } from '../../imaging/pipeline.ts';
import type { Manifest, ModelTask } from '../../inference/manifest.ts';
import type { Capability, ModelOption, ProviderModel, ProviderParameter } from '../provider.ts';
import type { ShelfEntry } from './shelf.ts';

interface TaskFacts {
  readonly capability: Capability;
  readonly stage: RestorationStage;
  readonly options: readonly ModelOption[];
  /** What it did, for the owner of the photo. */
  done(manifest: Manifest): string;
}

/** What a person is told of a model, by its task. */
export const TASK_FACTS: Readonly<Record<ModelTask, TaskFacts>> = {
  restore: {
    capability: 'DENOISE',
    stage: 'DENOISING',
    options: ['strength'],
    done: ({ title }) => `Restored by ${title}, as asked for.`,
  },
  upscale: {
    capability: 'UPSCALE',
    stage: 'UPSCALING',
    options: [],
    done: ({ title, scale }) => `Enlarged ×${scale} by ${title}, as asked for.`,
  },
  colourise: {
    capability: 'COLOURISE',
    stage: 'COLOURING',
    options: ['strength'],
    done: ({ title }) => `Given colours by ${title}, as asked for. They are a guess.`,
  },
  fill: {
    capability: 'REPAIR',
    stage: 'REPAIRING',
    options: ['strength', 'mask'],
    done: ({ title }) => `What the mask covers was filled by ${title}. It is a guess.`,
  },
  mask: { capability: 'REPAIR', stage: 'REPAIRING', options: [], done: ({ title }) => `Looked at by ${title}.` },
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
