import type { StepPlan } from '../pipeline.ts';

/** The plan of every step that has a strength, whatever was measured. */
export const STRENGTH_ZERO: StepPlan = { run: false, reason: 'Strength 0 leaves the photo as it is.' };
