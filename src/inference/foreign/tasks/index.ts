import type { ModelTask } from '../../manifest.ts';
import { runColourise } from './colourise.ts';
import { runFace } from './face.ts';
import { runFill } from './fill.ts';
import { runPicture } from './picture.ts';
import type { RunTask } from './task.ts';

/** Task → how to run it; a task that is missing cannot be run from a model of one's own. */
export const RUN_TASK: Readonly<Partial<Record<ModelTask, RunTask>>> = {
  restore: runPicture,
  upscale: runPicture,
  colourise: runColourise,
  fill: runFill,
  face: runFace,
};
