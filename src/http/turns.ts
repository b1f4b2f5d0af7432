import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Requests of one connection that may wait for their turn; what clients that pipeline at all send ahead. */
const MOST_WAITING = 10;

/**
 * One request of a connection after the other. Node starts all that are pipelined at once, though their answers go out in
 * order: a client that reads none would have hundreds of files and answers held for it. Behind an answer that never ends
 * (an event stream) Node would also read requests for ever, 4 KB of memory each: a connection with too many is closed.
 */
export function createTurns() {
  const lines = new WeakMap<Socket, { last: Promise<void>; length: number }>();

  /** Waits for the answers before this one; false when the connection has gone meanwhile. */
  return async function takeTurn(req: IncomingMessage, res: ServerResponse): Promise<boolean> {
    const { socket } = req;
    if (socket.destroyed) return false;
    const line = lines.get(socket) ?? { last: Promise.resolve(), length: 0 };
    lines.set(socket, line);
    if (line.length > MOST_WAITING) {
      socket.destroy();
      return false;
    }
    const before = line.last;
    const { promise, resolve } = Promise.withResolvers<void>();
    line.last = promise;
    line.length += 1;
    const leave = (): void => {
      line.length -= 1;
      resolve();
    };
    res.once('close', leave);
    await before;
    if (!socket.destroyed) return true;
    // An answer that was never begun does not close.
    resolve();
    return false;
  };
}
