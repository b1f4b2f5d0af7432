import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import { _createLRUCache, createYoga, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Actor } from '../db/context.ts';
import type { Log } from '../log.ts';
import { renderPage } from './graphiql.ts';
import { createMask, type Mask } from './mask.ts';
import { createPlugins } from './plugins.ts';

/** What is known about a request before GraphQL sees it. */
export interface RequestFacts {
  readonly actor: Actor;
  readonly requestId: string;
  /** Aborts when the client has gone, its token has expired, or the service stops. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Where this client reaches the service, without a slash at the end. */
  readonly baseUrl: string;
  readonly address: string;
}

/** Makes the context of one operation. */
export type ContextFor = (facts: RequestFacts) => object | Promise<object>;

/** What Yoga is handed with each request; over a WebSocket there is neither `req` nor `res`. */
export interface ServerContext {
  readonly facts: RequestFacts;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

export interface GraphiQLTab {
  readonly query: string;
  readonly variables?: string;
  /** Shown in the headers editor. */
  readonly headers?: string;
}

export interface GraphQLServerOptions {
  readonly schema: GraphQLSchema;
  readonly log: Log;
  readonly contextFor: ContextFor;
  readonly bodies: Plugin<object, ServerContext>;
  readonly graphiql: boolean;
  readonly introspection: boolean;
  /** Default: as `introspection`. */
  readonly suggestions?: boolean;
  /** What GraphiQL shows at the first visit. */
  readonly tabs?: readonly GraphiQLTab[];
}

export interface GraphQLServer {
  readonly yoga: YogaServerInstance<ServerContext, object>;
  readonly mask: Mask;
}

/** Documents kept parsed and validated; each has at most 15,000 characters and 1,000 tokens. */
const CACHED_DOCUMENTS = 256;

/** Creates the GraphQL engine behind every transport. GraphiQL is served from the package, without a CDN. */
export function createGraphQL(options: GraphQLServerOptions): GraphQLServer {
  const { schema, log, contextFor, bodies, introspection, suggestions = introspection } = options;
  const mask = createMask({ log, suggestions });
  const yoga = createYoga<ServerContext, object>({
    schema,
    context: ({ facts }) => contextFor(facts),
    plugins: createPlugins({ mask, bodies, introspection }),
    graphiql: options.graphiql && {
      title: 'Heirloom',
      subscriptionsProtocol: 'WS',
      defaultTabs: (options.tabs ?? []).map((tab) => ({ ...tab })),
    },
    renderGraphiQL: renderPage,
    parserAndValidationCache: {
      documentCache: _createLRUCache({ max: CACHED_DOCUMENTS }),
      errorCache: _createLRUCache({ max: CACHED_DOCUMENTS }),
    },
    // The `maskErrors` plugin knows the request; these are held at node:http.
    maskedErrors: false,
    logging: false,
    cors: false,
    maxRequestBodySize: false,
    multipart: false,
    batching: false,
    landingPage: false,
  });
  return { yoga, mask };
}
