import type { ServiceContext, UserActor } from '../db/context.ts';
import { AppError } from '../errors.ts';

/**
 * The one answer to a token that is missing, malformed, forged, expired, or of a session that has ended: why is logged
 * and not told.
 */
export function unauthenticated(cause?: unknown): AppError {
  return new AppError('UNAUTHENTICATED', 'Not signed in, or the sign-in is no longer valid. Sign in again.', { cause });
}

type WithActor = Pick<ServiceContext, 'actor'>;

/** The signed-in user or guest. @throws AppError UNAUTHENTICATED */
export function requireUser(ctx: WithActor): UserActor {
  if (ctx.actor.kind !== 'user') throw unauthenticated();
  return ctx.actor;
}

/**
 * Passes administrators, the command line and the scheduler.
 *
 * @throws AppError UNAUTHENTICATED for nobody, FORBIDDEN for everybody else.
 */
export function requireAdmin(ctx: WithActor): void {
  if (ctx.actor.kind === 'system') return;
  if (requireUser(ctx).role !== 'ADMIN') {
    throw new AppError('FORBIDDEN', 'Only administrators can do this. Sign in with an administrator account.');
  }
}
