import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols, makeServer } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Authenticated } from '../auth/authenticate.ts';
import { AppError } from '../errors.ts';
import { assertVariables } from '../graphql/plugins.ts';
import type { GraphQLServer } from '../graphql/server.ts';
import type { Log } from '../log.ts';
import type { SocketLimits } from './limits.ts';
import type { Origins } from './origins.ts';
import type { Places } from './places.ts';
import { pathOf, requestIdOf, tokenIn, type RequestReader } from './request.ts';
import type { Authenticate, SessionWatch } from './sessions.ts';
import { createOperations, type Connection } from './socket-operations.ts';

/** Close codes of https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md and of the IANA registry. */
const CLOSE = { invalid: 4400, forbidden: 4403, restart: 1012, overload: 1013 } as const;
/** For the other side to answer a close frame. */
const CLOSE_WAIT_MS = 5000;

const TOO_MUCH = 'The payload is nested too deep or holds too much';

/** graphql-ws sends the payload of a ping back, and no stack is deep enough to write down whatever can be read. */
function isTooMuch(payload: unknown): boolean {
  try {
    assertVariables(payload);
    return false;
  } catch {
    return true;
  }
}

export interface WebSocketOptions {
  readonly graphql: GraphQLServer;
  readonly log: Log;
  readonly limits: SocketLimits;
  readonly places: Places;
  readonly authenticate: Authenticate;
  readonly origins: Origins;
  readonly reader: RequestReader;
  readonly sessions: SessionWatch;
}

export interface WebSockets {
  /** Takes an HTTP upgrade; refuses it where the path or the origin is wrong. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells every client that the service restarts (1012); they come back by themselves. */
  close(): void;
}

function refuse(socket: Duplex, status: number): void {
  // An upgraded connection is ours alone: a client that keeps its half open would hold it for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function close(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), CLOSE_WAIT_MS).unref();
}

/** GraphQL over WebSocket (graphql-transport-ws) through the same plugins, context and limits as over HTTP. */
export function createWebSockets(options: WebSocketOptions): WebSockets {
  const { limits, places, log, authenticate, origins, reader, sessions } = options;
  const operations = createOperations(options.graphql, limits);
  const server = new WebSocketServer({ noServer: true, maxPayload: limits.messageBytes, handleProtocols });
  let closing = false;

  /** Decides on connection_init; a false answer closes with 4403, which clients retry with a fresh token. */
  async function admit(
    connection: Connection,
    params: Readonly<Record<string, unknown>> | undefined,
  ): Promise<boolean> {
    const { socket, address } = connection;
    if (isTooMuch(params)) {
      close(socket, CLOSE.invalid, TOO_MUCH);
      return true;
    }
    let authenticated: Authenticated;
    try {
      const given = params?.['authorization'] ?? params?.['Authorization'];
      authenticated = await authenticate(tokenIn(given), address);
    } catch (error) {
      if (error instanceof AppError && error.http < 500 && error.code !== 'RATE_LIMITED') return false;
      connection.log.warn({ err: error }, 'could not authenticate a socket');
      close(socket, CLOSE.overload, 'Try again later');
      return true;
    }
    const { actor } = authenticated;
    const release = places.ofSession(actor);
    if (release === null) {
      close(socket, CLOSE.overload, 'Too many connections');
      return true;
    }
    connection.actor = actor;
    connection.releases.push(
      release,
      sessions.whenOver(authenticated, () => close(socket, CLOSE.forbidden, 'Forbidden')),
    );
    if (socket.readyState !== socket.OPEN) connection.release();
    return true;
  }

  const protocol = makeServer<Record<string, unknown>, { connection: Connection }>({
    connectionInitWaitTimeout: limits.initMs,
    onConnect: ({ extra, connectionParams }) => admit(extra.connection, connectionParams),
    ...operations.hooks,
  });

  function open(socket: WebSocket, req: IncomingMessage, release: () => void): void {
    const releases = [release];
    const id = requestIdOf(req);
    const connection: Connection = {
      id,
      socket,
      address: reader.addressOf(req),
      baseUrl: reader.baseUrlOf(req),
      log: log.child({ requestId: id }),
      actor: undefined,
      operations: new Map(),
      arrived: 0,
      releases,
      release() {
        for (const free of releases.splice(0)) free();
      },
    };
    let answered = true;
    const ping = setInterval(() => {
      if (!answered) socket.terminate();
      else {
        answered = false;
        socket.ping();
      }
    }, limits.pingMs);
    socket.on('pong', () => {
      answered = true;
    });
    const guard = () => {
      if (socket.bufferedAmount > limits.bufferedBytes) socket.terminate();
    };
    const send = (data: string): Promise<void> =>
      new Promise((resolve) => {
        if (socket.readyState !== socket.OPEN) return resolve();
        // A message that cannot be sent is the end of the connection, which is handled there.
        socket.send(data, () => resolve());
        return guard();
      });
    // ws answers pings by itself, also those of a client that reads none of the answers.
    socket.on('ping', guard);
    // What ws reports here (a message too long, a frame that is none) it has closed with the right code already.
    socket.on('error', (err) => connection.log.debug({ err }, 'socket failed'));
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send,
        onPing: (payload) =>
          isTooMuch(payload) ? close(socket, CLOSE.invalid, TOO_MUCH) : send(JSON.stringify({ type: 'pong', payload })),
        close: (code, reason) => close(socket, code ?? CLOSE.overload, reason ?? ''),
        onMessage: (handle) =>
          socket.on('message', (data) => {
            const text = String(data);
            operations.noticeComplete(connection, text);
            // graphql-ws asks what to do with an operation before it first waits.
            connection.arrived = text.length;
            handle(text).catch((error: unknown) => {
              connection.log.error({ err: error }, 'a socket message failed');
              close(socket, CLOSE.overload, 'Try again later');
            });
          }),
      },
      { connection },
    );
    socket.once('close', (code, reason) => {
      clearInterval(ping);
      operations.abortAll(connection);
      connection.release();
      closed(code, String(reason)).catch((error: unknown) =>
        connection.log.error({ err: error }, 'a socket did not close well'),
      );
    });
  }

  return {
    upgrade(req, socket, head) {
      socket.on('error', () => socket.destroy());
      if (closing) return refuse(socket, 503);
      if (pathOf(req) !== '/graphql') return refuse(socket, 404);
      if (!origins.allows(req.headers.origin, req.headers.host)) return refuse(socket, 403);
      const release = places.ofAddress(reader.addressOf(req));
      let opened = false;
      socket.once('close', () => {
        if (!opened) release?.();
      });
      server.handleUpgrade(req, socket, head, (webSocket) => {
        opened = true;
        if (release === null) {
          webSocket.on('error', () => {});
          close(webSocket, CLOSE.overload, 'Too many connections');
        } else open(webSocket, req, release);
      });
    },
    close() {
      closing = true;
      for (const socket of server.clients) close(socket, CLOSE.restart, 'Service restart');
    },
  };
}
