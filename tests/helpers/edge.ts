import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphQLError, GraphQLScalarType } from 'graphql';
import { createSchema } from 'graphql-yoga';
import type { Actor } from '../../src/db/context.ts';
import { AppError } from '../../src/errors.ts';
import type { FileSource, FilesOptions } from '../../src/http/files.ts';
import { createHttpServer, type HttpServerDeps } from '../../src/http/server.ts';
import type { RequestFacts } from '../../src/graphql/server.ts';
import { createSlots } from '../../src/limits/slots.ts';
import { createLog } from '../../src/log.ts';
import { createEventBus } from '../../src/pubsub/pubsub.ts';
import { createLinks } from '../../src/storage/links.ts';
import { createSpool, type IncomingFile } from '../../src/storage/spool.ts';
import { assertNoSecrets } from './canaries.ts';

type Topics = { tick: { n: number; text: string } };

const typeDefs = /* GraphQL */ `
  scalar Upload
  scalar Even
  type Node {
    id: ID!
    child: Node
    children(first: Int): NodeConnection
  }
  type NodeConnection {
    edges: [NodeEdge!]!
  }
  type NodeEdge {
    node: Node!
  }
  type Query {
    hello: String!
    whoami: String!
    baseUrl: String!
    address: String!
    node: Node
    big(bytes: Int!): String!
    even(value: Even): String
    refuse(code: String!, retryAfter: Int): String
    crash: String
    badInt: Int
  }
  type File {
    filename: String!
    bytes: Int!
    sha256: String!
  }
  type Mutation {
    touch: Boolean!
    upload(file: Upload!): File!
    uploadBoth(first: Upload!, second: Upload!): [File!]!
    ignore(file: Upload!): Boolean!
    deny(file: Upload!): Boolean!
    hold(file: Upload!): Boolean!
  }
  type Tick {
    n: Int!
    text: String!
  }
  type Subscription {
    ticks(id: ID!): Tick!
    denied: Tick!
    breaks: Tick!
  }
`;

type Args = Record<string, any>;

async function describe(file: Promise<IncomingFile>) {
  const { filename, spooled } = await file;
  const { bytes, sha256 } = await spooled;
  return { filename, bytes, sha256 };
}

const actorOf = (name: string, address: string): Actor => ({
  kind: 'user',
  userId: name,
  sessionId: `session-${name}`,
  role: 'USER',
  guest: false,
  address,
});

/** The edge on a small schema of its own, with real files under a temporary folder and lines of log in `lines`. */
export async function startEdge(overrides: Partial<Omit<HttpServerDeps, 'config'>> & { config?: object } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'edge-'));
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  const bus = createEventBus<Topics>();
  const ended = new Set<(sessionId: string) => void>();
  const links = createLinks({ keys: ['a-key-for-links'] });
  const seen = { touched: 0, aborted: 0, live: 0, resolved: 0 };

  const resolvers: Record<string, any> = {
    Upload: new GraphQLScalarType({
      name: 'Upload',
      parseValue(value) {
        if (value instanceof Promise) return value;
        throw new AppError('BAD_USER_INPUT', 'Send files as multipart/form-data.');
      },
    }),
    Even: new GraphQLScalarType({
      name: 'Even',
      parseValue(value) {
        if (Number(value) % 2 !== 0) throw new GraphQLError('Not an even number.');
        return value;
      },
      parseLiteral(node) {
        if (!('value' in node) || Number(node.value) % 2 !== 0) throw new GraphQLError('Not an even number.');
        return Number(node.value);
      },
    }),
    Node: {
      child: () => ({ id: '1' }),
      children: () => ({ edges: [] }),
    },
    Query: {
      hello: () => 'hello',
      whoami: (_: unknown, __: Args, { actor }: RequestFacts) =>
        actor.kind === 'user' ? `${actor.userId}/${actor.sessionId}` : actor.kind,
      baseUrl: (_: unknown, __: Args, { baseUrl }: RequestFacts) => baseUrl,
      address: (_: unknown, __: Args, { address }: RequestFacts) => address,
      node: () => ({ id: '1' }),
      big: (_: unknown, { bytes }: Args) => 'lorem ipsum '.repeat(bytes / 12),
      even: (_: unknown, { value }: Args) => String(value),
      refuse: (_: unknown, { code, retryAfter }: Args) => {
        throw new AppError(code, `Refused with ${code}.`, retryAfter ? { retryAfter } : {});
      },
      crash: () => {
        throw new Error('SELECT secret FROM /var/data/private');
      },
      badInt: () => 'not a number, but a secret',
    },
    Mutation: {
      touch: () => {
        seen.touched++;
        return true;
      },
      upload: (_: unknown, { file }: Args) => describe(file).finally(() => seen.resolved++),
      uploadBoth: async (_: unknown, { first, second }: Args) => {
        const late = await describe(second);
        return [await describe(first), late];
      },
      ignore: () => true,
      deny: () => {
        throw new AppError('FORBIDDEN', 'Not yours.');
      },
      hold: async (_: unknown, { file }: Args, { signal }: RequestFacts) => {
        signal.addEventListener('abort', () => seen.aborted++);
        await (
          await file
        ).spooled;
        return true;
      },
    },
    Subscription: {
      ticks: {
        async *subscribe(_: unknown, { id }: Args, { signal }: RequestFacts) {
          seen.live++;
          try {
            for await (const tick of bus.subscribe('tick', id, signal)) yield { ticks: tick };
          } finally {
            seen.live--;
          }
        },
      },
      denied: {
        subscribe: () => {
          throw new AppError('NOT_FOUND', 'There is no such thing.');
        },
      },
      breaks: {
        async *subscribe() {
          yield { breaks: { n: 1, text: 'one' } };
          throw new Error('SELECT secret');
        },
      },
    },
  };

  const source: FileSource = { find: async () => null };
  const files: FilesOptions = { links, source, storage: { open: async () => null, stat: async () => null } };
  const { config, ...rest } = overrides;
  const deps: HttpServerDeps = {
    log,
    schema: createSchema({ typeDefs, resolvers }),
    /** `name`, or `name@<expiry in ms since the epoch>`; everything else is refused. */
    async authenticate(token, address) {
      if (token === undefined) return { actor: { kind: 'anonymous', address }, expiresAt: null };
      if (token === 'database-down') throw new Error('database is down');
      const { name, at } = /^(?<name>[a-z]+)(?:@(?<at>\d+))?$/.exec(token)?.groups ?? {};
      if (name === undefined || Number(at ?? Infinity) < Date.now()) {
        throw new AppError('UNAUTHENTICATED', 'Sign in again.');
      }
      return { actor: actorOf(name, address), expiresAt: at === undefined ? null : new Date(Number(at)) };
    },
    contextFor: (facts) => facts,
    spool: createSpool({ dir: join(dir, 'tmp'), maxBytes: 1e6, log }),
    uploadSlots: createSlots({ max: 3 }),
    files,
    health: { live: () => true, ready: async () => ({ ok: true, checks: { database: true } }) },
    pages: { '/': { body: '<!doctype html><title>Heirloom</title>' } },
    onSessionEnded(listener) {
      ended.add(listener);
      return () => ended.delete(listener);
    },
    endedSessions: async () => [],
    tabs: [{ query: '{ hello }' }],
    ...rest,
    config: {
      mode: 'development',
      host: '127.0.0.1',
      port: 0,
      publicUrl: undefined,
      trustedHosts: [],
      trustProxy: false,
      corsOrigins: ['localhost'],
      graphiql: true,
      introspection: true,
      maxUploadBytes: 1e6,
      maxConnections: 0,
      maxConnectionsPerAddress: 0,
      ...config,
    },
  };
  const server = createHttpServer(deps);
  const { url, port } = await server.listen();
  return {
    url,
    port,
    dir,
    bus,
    links,
    lines,
    seen,
    server,
    endSession: (sessionId: string) => ended.forEach((listener) => listener(sessionId)),
    temporaryFiles: () => readdir(join(dir, 'tmp')).catch(() => [] as string[]),
    async stop() {
      await server.close(200);
      await rm(dir, { recursive: true, force: true });
      assertNoSecrets(lines.join(''), 'the log');
    },
  };
}

export type Edge = Awaited<ReturnType<typeof startEdge>>;
