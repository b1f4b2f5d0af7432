import { networkOf } from '../auth/address.ts';
import type { Actor } from '../db/context.ts';
import { createSlots } from '../limits/slots.ts';
import type { HttpLimits } from './limits.ts';

/** How many connections that stay open, WebSockets and event streams together, an address and a session may have. */
export interface Places {
  /** Null when all are taken; call what it returns to give the place back. */
  ofAddress(address: string): (() => void) | null;
  /** The same; who is not signed in has no session, and only the address counts. */
  ofSession(actor: Actor): (() => void) | null;
}

export function createPlaces({ perAddress, perSession }: HttpLimits['openConnections']): Places {
  const addresses = createSlots({ max: perAddress });
  const sessions = createSlots({ max: perSession });
  return {
    ofAddress: (address) => addresses.acquire(networkOf(address)),
    ofSession: (actor) => (actor.kind === 'user' ? sessions.acquire(actor.sessionId) : () => {}),
  };
}
