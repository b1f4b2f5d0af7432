import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, type GraphQLSchema } from 'graphql';
import { makeServer } from 'graphql-ws';
import { WebSocketServer } from 'ws';

// The baseline: graphql-ws over ws with the least of iterators, the same selection, ten events a second for everybody.

type Update = Record<string, unknown>;

const schema: GraphQLSchema = buildSchema(`
  type Restoration { id: ID! status: String! percent: Float! }
  type Event { cursor: String! at: String! stage: String percent: Float! restoration: Restoration! }
  type Query { hello: String }
  type Subscription { restorationUpdated(id: ID!): Event! }
`);

const followers = new Set<(update: Update) => void>();

function follow(): AsyncIterableIterator<Update> {
  let newest: Update | undefined;
  let waiting: ((result: IteratorResult<Update>) => void) | undefined;
  const take = (update: Update): void => {
    if (waiting === undefined) newest = update;
    else waiting({ done: false, value: update });
    waiting = undefined;
  };
  followers.add(take);
  return {
    next() {
      return new Promise((resolve) => {
        if (newest === undefined) waiting = resolve;
        else resolve({ done: false, value: newest });
        newest = undefined;
      });
    },
    async return() {
      followers.delete(take);
      waiting?.({ done: true, value: undefined });
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

let percent = 0;
setInterval(() => {
  percent = Math.min(99, percent + 0.05);
  const restoration = {
    id: 'UmVzdG9yYXRpb246MDE5OWFhYWEtYmJiYi1jY2NjLWRkZGQtZWVlZWVlZWVlZWVl',
    status: 'RUNNING',
    percent,
  };
  const restorationUpdated = {
    cursor: 'ZTEyMw',
    at: new Date().toISOString(),
    stage: 'DENOISING',
    percent,
    restoration,
  };
  for (const take of followers) take({ restorationUpdated });
}, 100);

const protocol = makeServer({ schema, roots: { subscription: { restorationUpdated: follow } } });
const server = createServer();
const sockets = new WebSocketServer({ server, path: '/graphql' });
sockets.on('connection', (socket) => {
  const closed = protocol.opened(
    {
      protocol: 'graphql-transport-ws',
      send: (data) => new Promise((resolve) => socket.send(data, () => resolve())),
      close: (code, reason) => socket.close(code, reason),
      onMessage: (handle) => socket.on('message', (data) => void handle(String(data))),
    },
    {},
  );
  socket.on('error', () => {});
  socket.once('close', (code, reason) => void closed(code, String(reason)));
});
process.once('SIGTERM', () => process.exit(0));
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
