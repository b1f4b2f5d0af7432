import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { GraphQLSchema } from 'graphql';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import { shuttingDown } from './stopping.ts';
import { createGraphQL, type ContextFor, type GraphiQLTab, type RequestFacts } from '../graphql/server.ts';
import type { Log } from '../log.ts';
import { createBodies } from './bodies.ts';
import { createConnections } from './connections.ts';
import { limitCrowd } from './crowd.ts';
import { createFiles, type FilesOptions } from './files.ts';
import { createGraphQLRoute } from './graphql-route.ts';
import { HTTP_LIMITS, type HttpLimits } from './limits.ts';
import { createMultipart, type MultipartOptions } from './multipart.ts';
import { createOrigins } from './origins.ts';
import { PAGE_HEADERS, type Page } from './pages.ts';
import { createPlaces } from './places.ts';
import { createRequestReader, pathOf, requestIdOf, toOriginForm, wantsWebSocket } from './request.ts';
import { respond, respondWithError } from './respond.ts';
import { createTurns } from './turns.ts';
import { createSessionWatch, type Authenticate, type EndedSessions, type OnSessionEnded } from './sessions.ts';
import { createWebSockets } from './websocket.ts';

export interface Health {
  /** The process works. */
  live(): boolean;
  /** It can serve; which parts can, and what is wrong with the others. */
  ready(): Promise<{ ok: boolean; checks: Record<string, boolean>; problems?: Record<string, string> }>;
}

export interface HttpServerDeps {
  readonly config: Pick<
    Config,
    | 'mode'
    | 'host'
    | 'port'
    | 'publicUrl'
    | 'trustedHosts'
    | 'trustProxy'
    | 'corsOrigins'
    | 'graphiql'
    | 'introspection'
    | 'maxUploadBytes'
    | 'maxConnections'
    | 'maxConnectionsPerAddress'
  >;
  readonly log: Log;
  readonly schema: GraphQLSchema;
  readonly authenticate: Authenticate;
  readonly contextFor: ContextFor;
  readonly spool: MultipartOptions['spool'];
  readonly uploadSlots: MultipartOptions['uploadSlots'];
  readonly files: FilesOptions;
  readonly health: Health;
  /** Pages by path; `/` where nothing else is given leads nowhere. */
  readonly pages: Readonly<Record<string, Page>>;
  readonly onSessionEnded: OnSessionEnded;
  readonly endedSessions: EndedSessions;
  /** What GraphiQL shows at the first visit. */
  readonly tabs?: readonly GraphiQLTab[];
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpServer {
  /** Resolves when the service can be reached; `port` 0 of the configuration has become a real one. */
  listen(): Promise<{ url: string; port: number }>;
  /** Sends WebSockets away with 1012, ends event streams, waits for the answers under way, then cuts off the rest. */
  close(graceMs: number): Promise<void>;
}

export type Handler = (
  req: IncomingMessage,
  res: ServerResponse,
  request: Omit<RequestFacts, 'actor'>,
) => Promise<void>;

interface Route {
  matches(path: string): boolean;
  readonly methods: readonly string[];
  /** Also answered while the service stops. */
  readonly always?: boolean;
  readonly handle: Handler;
}

const JSON_HEADERS = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' };
const READS = ['GET', 'HEAD'];
/** Characters of a path that are logged; ours have 70, a stranger's up to 16,000. */
const LOGGED_PATH = 1000;

function listeningUrl({ address, port }: AddressInfo): string {
  const host = address === '0.0.0.0' || address === '::' ? 'localhost' : address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Creates the one HTTP server: GraphQL, files, health and pages behind a table of routes. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const { config, log, health, pages, authenticate } = deps;
  const limits: HttpLimits = { ...HTTP_LIMITS, ...deps.limits };
  const stopping = new AbortController();
  let url = '';
  const reader = createRequestReader(config, () => url);
  const origins = createOrigins(config.corsOrigins);
  const sessions = createSessionWatch(deps);
  const multipart = createMultipart({
    spool: deps.spool,
    uploadSlots: deps.uploadSlots,
    maxFileBytes: config.maxUploadBytes,
    maxFiles: limits.files,
    maxFieldBytes: limits.bodyBytes,
  });
  const graphql = createGraphQL({
    schema: deps.schema,
    log,
    contextFor: deps.contextFor,
    bodies: createBodies({ limit: limits.bodyBytes, multipart }),
    graphiql: config.graphiql,
    introspection: config.introspection,
    suggestions: config.mode === 'development',
    ...(deps.tabs && { tabs: deps.tabs }),
  });
  const places = createPlaces(limits.openConnections);
  const sockets = createWebSockets({
    graphql,
    log,
    limits: limits.socket,
    places,
    authenticate,
    origins,
    reader,
    sessions,
  });
  const serveFile = createFiles(deps.files);
  const takeTurn = createTurns();

  const handlePage: Handler = (req, res) => {
    const { body = '', headers } = pages[pathOf(req)] ?? {};
    return respond(req, res, { status: 200, headers: { ...PAGE_HEADERS, ...headers }, body });
  };
  const routes: readonly Route[] = [
    {
      matches: (path) => path === '/graphql',
      methods: ['GET', 'POST'],
      handle: createGraphQLRoute({ graphql, authenticate, sessions, places, limits, stopping: stopping.signal }),
    },
    { matches: (path) => path.startsWith('/files/'), methods: READS, handle: serveFile },
    {
      matches: (path) => path === '/health/live',
      always: true,
      methods: READS,
      handle: (req, res) => {
        const ok = health.live();
        return respond(req, res, { status: ok ? 200 : 503, headers: JSON_HEADERS, body: JSON.stringify({ ok }) });
      },
    },
    {
      matches: (path) => path === '/health/ready',
      always: true,
      methods: READS,
      handle: async (req, res) => {
        const { ok, checks, problems } = await health.ready();
        const body = JSON.stringify({ ok: ok && !stopping.signal.aborted, checks, ...(ok ? {} : { problems }) });
        await respond(req, res, { status: ok && !stopping.signal.aborted ? 200 : 503, headers: JSON_HEADERS, body });
      },
    },
    { matches: (path) => Object.hasOwn(pages, path), methods: READS, handle: handlePage },
  ];

  async function route(req: IncomingMessage, res: ServerResponse, request: Omit<RequestFacts, 'actor'>): Promise<void> {
    if (!URL.canParse(`http://${req.headers.host ?? ''}`))
      throw new AppError('BAD_USER_INPUT', 'The Host header is no host.');
    if (origins.answer(req, res)) return;
    const path = pathOf(req);
    const found = routes.find(({ matches }) => matches(path));
    if (found === undefined)
      throw new AppError('NOT_FOUND', 'There is nothing at this address. The API is at /graphql.');
    if (!found.methods.includes(req.method ?? '')) {
      const allowed = found.methods.join(', ');
      const error = graphql.mask(new AppError('BAD_USER_INPUT', `This address takes ${allowed} only.`));
      await respondWithError(req, res, error, { status: 405, headers: { Allow: allowed } });
      return;
    }
    if (stopping.signal.aborted && found.always !== true) throw shuttingDown();
    await found.handle(req, res, request);
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (!(await takeTurn(req, res))) return;
    const started = performance.now();
    const requestId = requestIdOf(req);
    const gone = new AbortController();
    const ownLog = log.child({ requestId });
    const request = {
      requestId,
      signal: gone.signal,
      log: ownLog,
      baseUrl: reader.baseUrlOf(req),
      address: reader.addressOf(req),
    };
    res.setHeader('X-Request-Id', requestId);
    res.setHeader('X-Content-Type-Options', 'nosniff');
    res.setHeader('Referrer-Policy', 'no-referrer');
    if (stopping.signal.aborted) res.setHeader('Connection', 'close');
    res.once('close', () => {
      if (!res.writableFinished) gone.abort(new DOMException('The client has gone.', 'AbortError'));
      const ms = Math.round(performance.now() - started);
      // Without the query: it may hold the signature of a link, or a whole operation.
      const path = pathOf(req).slice(0, LOGGED_PATH);
      const line = { method: req.method, path, status: res.statusCode, ms };
      ownLog.info(res.writableFinished ? line : { ...line, aborted: true }, 'request');
    });
    connections.watch(req, res);
    try {
      await route(req, res, request);
    } catch (error) {
      const masked = gone.signal.aborted ? null : graphql.mask(error, request);
      if (masked === null || res.headersSent) res.destroy();
      else await respondWithError(req, res, masked);
    }
  }

  const server = createServer(
    {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: 2000,
      shouldUpgradeCallback: wantsWebSocket,
    },
    (req, res) => {
      toOriginForm(req);
      handle(req, res).catch((error: unknown) => {
        log.error({ err: error }, 'an answer failed');
        res.destroy();
      });
    },
  );
  // Behind a proxy every connection has the proxy's address, and the proxy keeps its clients in order.
  const perClient = config.trustProxy ? 0 : config.maxConnectionsPerAddress;
  limitCrowd(server, { total: config.maxConnections, perClient }, log);
  const connections = createConnections(server, limits);
  server.on('upgrade', (req, socket, head) => {
    toOriginForm(req);
    sockets.upgrade(req, socket, head);
  });

  return {
    listen() {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(config.port, config.host, () => {
          server.off('error', reject);
          const bound = server.address() as AddressInfo;
          url = listeningUrl(bound);
          resolve({ url, port: bound.port });
        });
      });
    },
    async close(graceMs) {
      stopping.abort();
      sockets.close();
      await connections.close(graceMs);
      sessions.close();
    },
  };
}
