import { ApiError } from './api.js';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10_000;
/** A line that is silent for two of these is dead, whatever the browser thinks. */
const PING_MS = 15_000;
const FORBIDDEN = 4403;

function address() {
  const url = new URL('graphql', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return url;
}

/**
 * Subscriptions over one WebSocket, by graphql-transport-ws
 * (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md). It is opened with the first subscription, closed
 * with the last, and comes back by itself; each subscription then goes on with the variables it has by that time.
 *
 * @param {{ token(): Promise<string>, forget(token: string): void }} session
 * @param {(connected: boolean) => void} onConnection
 */
export function createLive(session, onConnection) {
  const followed = new Map();
  let socket = null;
  let ready = false;
  let failures = 0;
  let lastId = 0;
  let timer;

  const say = (message) => socket.send(JSON.stringify(message));

  function subscribe(id) {
    const { document, variables } = followed.get(id);
    say({ id, type: 'subscribe', payload: { query: document, variables: variables() } });
  }

  function hangUp() {
    clearTimeout(timer);
    const old = socket;
    socket = null;
    ready = false;
    old?.close(1000);
  }

  function end(id, act) {
    const subscription = followed.get(id);
    followed.delete(id);
    if (followed.size === 0) hangUp();
    if (subscription) act(subscription);
  }

  const failure = ([error]) => new ApiError(error.message, error.extensions?.code, error.extensions?.retryAfter);
  const handlers = {
    connection_ack() {
      ready = true;
      failures = 0;
      onConnection(true);
      for (const id of followed.keys()) subscribe(id);
    },
    next({ id, payload }) {
      if (payload.errors) end(id, ({ error }) => error(failure(payload.errors)));
      else followed.get(id)?.next(payload.data);
    },
    error: ({ id, payload }) => end(id, ({ error }) => error(failure(payload))),
    complete: ({ id }) => end(id, ({ complete }) => complete()),
    ping: () => say({ type: 'pong' }),
  };

  async function connect() {
    clearTimeout(timer);
    const opening = { close() {} };
    socket = opening;
    const token = await session.token().catch(() => null);
    if (socket !== opening) return;
    if (token === null) {
      retry();
      return;
    }
    const own = new WebSocket(address(), 'graphql-transport-ws');
    socket = own;
    let heard = Date.now();
    const ping = setInterval(() => {
      if (Date.now() - heard > 2 * PING_MS) lost(4408);
      else if (ready) say({ type: 'ping' });
    }, PING_MS);
    const lost = (code) => {
      clearInterval(ping);
      if (socket !== own) return;
      own.close();
      ready = false;
      if (code === FORBIDDEN) session.forget(token);
      retry();
    };
    own.addEventListener('open', () => say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
    own.addEventListener('message', ({ data }) => {
      heard = Date.now();
      const message = JSON.parse(data);
      handlers[message.type]?.(message);
    });
    own.addEventListener('close', ({ code }) => lost(code));
  }

  function retry() {
    socket = null;
    if (followed.size === 0) return;
    if (failures++ > 0) onConnection(false);
    const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
    timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
  }

  return {
    /**
     * Follows one subscription to its end.
     *
     * @param {() => object} variables asked again after every lost connection.
     * @param {{ next(data: object): void, error(error: ApiError): void, complete(): void }} sink
     * @returns {() => void} stops it.
     */
    follow(document, variables, sink) {
      const id = String(++lastId);
      followed.set(id, { document, variables, ...sink });
      if (ready) subscribe(id);
      else if (socket === null) connect();
      return () => {
        if (!followed.has(id)) return;
        if (ready) say({ id, type: 'complete' });
        end(id, () => {});
      };
    },
  };
}
