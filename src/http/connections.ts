import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpLimits } from './limits.ts';

export interface Connections {
  /** Watches over the body of a request: cuts it off when it crawls, and clears it away once the answer is out. */
  watch(req: IncomingMessage, res: ServerResponse): void;
  /** Stops accepting, waits for the answers under way, at most `graceMs`, then destroys what is left. */
  close(graceMs: number): Promise<void>;
}

type BodyLimits = Pick<HttpLimits, 'minBytesPerSecond' | 'minRateWindowMs' | 'drainBytes' | 'drainMs'>;

/** Keeps the connections of a server in order. */
export function createConnections(server: Server, limits: BodyLimits): Connections {
  /** Each with what is under way on it: requests, or one upgrade. */
  const sockets = new Map<Socket, number>();
  const add = (socket: Socket, count: number) => {
    const before = sockets.get(socket);
    if (before !== undefined) sockets.set(socket, before + count);
  };
  server.on('connection', (socket: Socket) => {
    sockets.set(socket, 0);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', ({ socket }) => add(socket, 1));

  /** Node's own `closeIdleConnections` leaves those that have never sent a request. */
  function destroySockets(which: (busy: number) => boolean): void {
    for (const [socket, busy] of sockets) if (which(busy)) socket.destroy();
  }

  const destroyIdle = () => destroySockets((busy) => busy === 0);

  /** A slow line is welcome; one byte now and then only holds a place. */
  function watchRate(req: IncomingMessage): void {
    const { socket } = req;
    const { minBytesPerSecond, minRateWindowMs } = limits;
    let before = socket.bytesRead;
    const timer = setInterval(() => {
      const arrived = socket.bytesRead - before;
      before = socket.bytesRead;
      // A paused request waits for our disk, not for the client.
      if (!req.isPaused() && arrived < (minBytesPerSecond * minRateWindowMs) / 1000) socket.destroy();
    }, minRateWindowMs).unref();
    const stop = () => clearInterval(timer);
    req.once('end', stop).once('close', stop);
  }

  /**
   * Reads and drops the rest of a body whose answer is out: closing at once would reset the connection and the client
   * might never see the answer. What takes too long, or is too much, is cut off.
   */
  function drain(req: IncomingMessage): void {
    if (req.complete || req.destroyed) return;
    const { socket } = req;
    const before = socket.bytesRead;
    const deadline = performance.now() + limits.drainMs;
    req.unpipe();
    req.resume();
    const timer = setInterval(() => {
      if (req.complete || socket.destroyed) clearInterval(timer);
      else if (socket.bytesRead - before > limits.drainBytes || performance.now() > deadline) {
        clearInterval(timer);
        socket.destroy();
      }
    }, 50).unref();
  }

  return {
    watch(req, res) {
      const { socket } = req;
      add(socket, 1);
      res.once('close', () => add(socket, -1));
      const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
      if (!hasBody) return;
      watchRate(req);
      const isLast = !res.shouldKeepAlive;
      // Node would close the connection with the answer, before the client has sent the rest and read it.
      res.shouldKeepAlive = true;
      res.once('finish', () => {
        drain(req);
        if (!isLast) return;
        if (req.complete) socket.end();
        else req.once('end', () => socket.end());
      });
    },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      const idle = setInterval(destroyIdle, 20);
      const force = setTimeout(() => destroySockets(() => true), graceMs);
      destroyIdle();
      await closed;
      clearInterval(idle);
      clearTimeout(force);
    },
  };
}
