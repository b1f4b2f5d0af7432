import { AppError } from '../errors.ts';
import type { RestorationStatus } from '../events/entity.ts';

/**
 * A restoration's life. Anything that is not in this table is CONFLICT.
 *
 * | event    | meaning                                                         |
 * |----------|-----------------------------------------------------------------|
 * | claim    | the queue begins a try                                          |
 * | succeed  | the result is stored                                            |
 * | postpone | the try failed, another one follows later                       |
 * | fail     | failed for good                                                 |
 * | cancel   | its owner does not want it any more                             |
 * | release  | the process that worked on it has stopped, by will or by crash  |
 * | retry    | its owner wants it tried again                                  |
 */
export const TRANSITIONS = {
  claim: { from: ['QUEUED'], to: 'RUNNING' },
  succeed: { from: ['RUNNING'], to: 'SUCCEEDED' },
  postpone: { from: ['RUNNING'], to: 'QUEUED' },
  fail: { from: ['RUNNING', 'QUEUED'], to: 'FAILED' },
  cancel: { from: ['QUEUED', 'RUNNING'], to: 'CANCELLED' },
  release: { from: ['RUNNING'], to: 'QUEUED' },
  retry: { from: ['FAILED', 'CANCELLED'], to: 'QUEUED' },
} as const satisfies Record<string, { from: readonly RestorationStatus[]; to: RestorationStatus }>;

export type Transition = keyof typeof TRANSITIONS;

const FINAL: ReadonlySet<RestorationStatus> = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);

/** True when nothing follows unless its owner asks. */
export function isFinal(status: RestorationStatus): boolean {
  return FINAL.has(status);
}

export function allows(transition: Transition, status: RestorationStatus): boolean {
  return (TRANSITIONS[transition].from as readonly RestorationStatus[]).includes(status);
}

/** The refusal a user sees. */
export function conflict(transition: Transition, status: RestorationStatus): AppError {
  return new AppError('CONFLICT', `A restoration that is ${status} cannot ${transition}.`);
}
