import type { EntityManager } from '@mikro-orm/sqlite';
import type { Log } from '../log.ts';

export type Role = 'USER' | 'ADMIN';

/** Who is asking. The worker, the scheduler and the command line act as `system`. */
export type Actor =
  | { readonly kind: 'anonymous'; readonly address: string }
  | {
      readonly kind: 'user';
      readonly userId: string;
      readonly sessionId: string;
      readonly role: Role;
      /** A user without a password, whose photos go with the session. */
      readonly guest: boolean;
      readonly address: string;
    }
  | { readonly kind: 'system' };

export type UserActor = Extract<Actor, { kind: 'user' }>;

/** First argument of every service function. */
export interface ServiceContext {
  /** A fork for this request or job. */
  readonly em: EntityManager;
  readonly actor: Actor;
  readonly requestId: string;
  /** Aborts when the client has gone or the job is cancelled. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

declare const owned: unique symbol;

/**
 * A row that was loaded for the actor of the context. Only loaders that check ownership make it, and writes accept
 * nothing else, so a forgotten check does not compile.
 */
export type Owned<T> = T & { readonly [owned]: true };
