import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * One request of a connection after the other. Node starts all that are pipelined at once, though their answers go out in
 * order: a client that reads none would have hundreds of files and answers held for it.
 */
export function createTurns() {
  const last = new WeakMap<Socket, Promise<void>>();

  /** Waits for the answers before this one; false when the connection has gone meanwhile. */
  return async function takeTurn(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    const { socket } = req;
    const before = last.get(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    last.set(socket, promise);
    res.once('close', resolve);
    await before;
    if (!socket.destroyed) return true;
    // An answer that was never begun does not close.
    resolve();
    return false;
  };
}
