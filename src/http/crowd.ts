import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from '../auth/address.ts';
import { createSlots } from '../limits/slots.ts';
import type { Log } from '../log.ts';

/** How often an operator is told. */
const REPORT_MS = 60_000;

export interface CrowdLimits {
  /** TCP connections at once; 0 = no limit. */
  readonly total: number;
  /** The same of one client (an IPv4 address or an IPv6 /64); 0 = no limit. Behind a proxy all would be one client. */
  readonly perClient: number;
}

/** Closes connections beyond a bound before a byte of them is read, so that no client takes every place of a server. */
export function limitCrowd(server: Server, limits: CrowdLimits, log: Log): void {
  const clients = createSlots({ max: limits.perClient });
  let refused = 0;
  let reportedAt = -Infinity;

  function report(address: string | undefined): void {
    refused += 1;
    if (performance.now() - reportedAt < REPORT_MS) return;
    log.warn({ address, refused, ...limits }, 'too many connections: the newest are closed');
    reportedAt = performance.now();
    refused = 0;
  }

  if (limits.total > 0) server.maxConnections = limits.total;
  server.on('drop', (data) => report(data?.remoteAddress));
  // First, so that nobody else begins anything on a connection that is refused.
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? 'unknown';
    const release = clients.acquire(networkOf(address));
    if (release !== null) socket.once('close', release);
    else {
      report(address);
      socket.destroy();
    }
  });
}
