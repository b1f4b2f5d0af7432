import { hash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/sqlite';
import type { Actor } from '../db/context.ts';
import type { Log } from '../log.ts';
import { createCache } from './cache.ts';
import { SessionEntity } from './entity.ts';
import type { Identities, Identity } from './identities.ts';
import { unauthenticated } from './require.ts';
import type { Claims, TokenIssuer } from './tokens.ts';

export interface Authenticated {
  readonly actor: Actor;
  /** When the token ends, and with it a socket that was opened by it; null for nobody. */
  readonly expiresAt: Date | null;
}

const TOKENS_KEPT = 1_000;
const TOUCH_EVERY_MS = 60_000;

/** Turns a token into an actor. */
export function createAuthenticate(deps: {
  tokens: TokenIssuer;
  identities: Identities;
  fork: () => EntityManager;
  log: Log;
  now: () => number;
}) {
  const { tokens, identities, fork, log, now } = deps;
  const verified = createCache<Claims>(TOKENS_KEPT, now);

  async function verify(token: string): Promise<Claims> {
    // Kept by its hash, so that a dump of the memory holds no tokens.
    const key = hash('sha256', token, 'base64');
    const remembered = verified.get(key);
    if (remembered !== undefined) return remembered;
    const claims = await tokens.verify(token);
    verified.set(key, claims, claims.expiresAt.getTime());
    return claims;
  }

  /**
   * One write a minute and session. Nobody who only reads waits for it, since another program may hold the database; and
   * a full disk must not keep anybody from reading, so a failure is only logged.
   */
  function touch(sessionId: string, identity: Identity): void {
    const at = now();
    if (at - identity.lastAccessedAt < TOUCH_EVERY_MS) return;
    identity.lastAccessedAt = at;
    const stale = { id: sessionId, lastAccessedAt: { $lte: new Date(at - TOUCH_EVERY_MS) } };
    void fork()
      .nativeUpdate(SessionEntity, stale, { lastAccessedAt: new Date(at) })
      .catch((err: unknown) => log.warn({ err, sessionId }, 'could not note that a session was used'));
  }

  /**
   * @param token what the client sent as bearer; undefined = nothing.
   * @param address of the client, for limits.
   * @throws AppError UNAUTHENTICATED for a token that is not good, a session that has ended or a user who is disabled.
   */
  return async function authenticate(token: string | undefined, address: string): Promise<Authenticated> {
    if (token === undefined) return { actor: { kind: 'anonymous', address }, expiresAt: null };
    const { userId, sessionId, expiresAt } = await verify(token);
    const identity = await identities.find(sessionId);
    if (identity === null || identity.disabled || identity.userId !== userId) throw unauthenticated();
    touch(sessionId, identity);
    const { role, guest } = identity;
    return { actor: { kind: 'user', userId, sessionId, role, guest, address }, expiresAt };
  };
}
