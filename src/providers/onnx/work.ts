import { NoPicture } from '../../imaging/no-picture.ts';
import { uselessOf, type PlannedWork } from '../../imaging/pipeline.ts';
import type { Raster } from '../../imaging/raster.ts';
import { STRENGTH_ZERO } from '../../imaging/steps/strength-zero.ts';
import { NothingToDo } from '../../inference/foreign/process.ts';
import type { Manifest } from '../../inference/manifest.ts';
import { TASK_FACTS } from './describe.ts';

/** Runs the model on the photo; `onTile` is told before each tile how many lie behind. */
export type RunModel = (onTile: (done: number, total: number) => void) => Promise<Raster>;

/** A model's work on a photo as one step, so that the gate judges it as it does the steps of Heirloom's own. */
export function workOf(manifest: Manifest, strength: number, run: RunModel): PlannedWork {
  const { name, task, scale } = manifest;
  const { stage, effect, asked } = TASK_FACTS[task];
  const nothing = scale === 1 && strength === 0;
  return {
    name,
    stage,
    effect,
    plan: nothing
      ? STRENGTH_ZERO
      : {
          run: true,
          strength: scale === 1 ? strength : 1,
          weight: 1,
          reason: asked(manifest),
          demanded: task === 'fill' ? 'WHERE' : undefined,
        },
    run: (input, onProgress) =>
      run((done, total) => onProgress(done / Math.max(1, total))).catch((error: unknown) => {
        if (error instanceof NoPicture) return uselessOf(error, input, scale);
        if (error instanceof NothingToDo) return { raster: input, ran: false, reason: error.message };
        throw error;
      }),
  };
}
