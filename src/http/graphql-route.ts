import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import type { GraphQLServer } from '../graphql/server.ts';
import { assertLength, BODY_TYPES, mediaTypeOf } from './bodies.ts';
import { pipeEvents } from './event-stream.ts';
import type { HttpLimits } from './limits.ts';
import { PAGE_HEADERS } from './pages.ts';
import type { Places } from './places.ts';
import { tokenIn } from './request.ts';
import { respond, respondWithError } from './respond.ts';
import type { Handler } from './server.ts';
import type { Authenticate, SessionWatch } from './sessions.ts';

export interface GraphQLRouteOptions {
  readonly graphql: GraphQLServer;
  readonly authenticate: Authenticate;
  readonly sessions: SessionWatch;
  readonly places: Places;
  readonly limits: Pick<HttpLimits, 'bodyBytes' | 'stalledReaderMs'>;
  /** Aborts when the service stops; event streams end then. */
  readonly stopping: AbortSignal;
}

const JSON_TYPE = 'application/json';
const RESPONSE_TYPE = 'application/graphql-response+json';

const TOO_MANY = 'Too many subscriptions are open. Close one, or use one WebSocket for all of them.';

function wantsPage(req: IncomingMessage): boolean {
  return req.method === 'GET' && (req.headers.accept ?? '').includes('text/html');
}

/** Apollo reads the errors of a 4xx or 5xx only from `application/graphql-response+json`. */
function typeFor(req: IncomingMessage, status: number, type: string): string {
  if (status < 400 || !type.startsWith(JSON_TYPE)) return type;
  const accept = req.headers.accept ?? '*/*';
  const takesIt = [RESPONSE_TYPE, '*/*', 'application/*'].some((accepted) => accept.includes(accepted));
  return takesIt ? type.replace(JSON_TYPE, RESPONSE_TYPE) : type;
}

/** `GET` and `POST /graphql`: decides by the headers alone who is refused, then hands over to Yoga. */
export function createGraphQLRoute(options: GraphQLRouteOptions): Handler {
  const { graphql, authenticate, sessions, places, limits, stopping } = options;

  return async (req, res, request) => {
    const type = mediaTypeOf(req);
    const encoding = req.headers['content-encoding'] ?? 'identity';
    if (req.method === 'POST' && (!BODY_TYPES.has(type) || encoding !== 'identity')) {
      const message = `Send the operation as ${JSON_TYPE}, or as multipart/form-data with files, not compressed.`;
      const error = graphql.mask(new AppError('BAD_USER_INPUT', message));
      await respondWithError(req, res, error, { status: 415 });
      return;
    }
    if (type !== 'multipart/form-data') assertLength(req, limits.bodyBytes);
    const { address } = request;
    const authenticated = wantsPage(req)
      ? { actor: { kind: 'anonymous', address } as const, expiresAt: null }
      : await authenticate(tokenIn(req.headers.authorization), address);

    const over = new AbortController();
    const { signal } = over;
    // Not `AbortSignal.any`, which costs more than all the rest of this.
    request.signal.addEventListener('abort', () => over.abort(request.signal.reason), { once: true });
    const facts = { ...request, actor: authenticated.actor, signal };
    const response = await graphql.yoga.handleNodeRequestAndResponse(req, res, { facts, req, res });
    const end = () => over.abort(new DOMException('The stream is over.', 'AbortError'));
    if (response.status === 406) {
      // A subscription has begun by now.
      end();
      const message = `Accept ${RESPONSE_TYPE}, ${JSON_TYPE} or, for a subscription, text/event-stream.`;
      await respondWithError(req, res, graphql.mask(new AppError('BAD_USER_INPUT', message)), { status: 406 });
      return;
    }
    if (!isStream(response)) return sendWhole(req, res, response);
    const releases = [places.ofAddress(address), places.ofSession(authenticated.actor)];
    const stop = sessions.whenOver(authenticated, end);
    stopping.addEventListener('abort', end, { once: true });
    if (stopping.aborted || releases.includes(null)) end();
    try {
      if (releases.includes(null)) throw new AppError('RATE_LIMITED', TOO_MANY, { retryAfter: 1 });
      res.writeHead(response.status, headersOf(response));
      await pipeEvents(response.body, res, { signal, stalledMs: limits.stalledReaderMs });
    } finally {
      stopping.removeEventListener('abort', end);
      stop();
      end();
      for (const release of releases) release?.();
      await response.body.cancel().catch(() => {});
    }
  };
}

type Streaming = Response & { body: ReadableStream<Uint8Array> };

function isStream(response: Response): response is Streaming {
  const type = response.headers.get('content-type') ?? '';
  return response.body !== null && /^(?:text\/event-stream|multipart\/mixed)/.test(type);
}

function headersOf(response: Response): Record<string, string> {
  const headers: Record<string, string> = {};
  // oxlint-disable-next-line unicorn/no-array-for-each -- iterating misses what Yoga has set by object.
  response.headers.forEach((value, name) => {
    headers[name.toLowerCase()] = value;
  });
  // Node frames the body by itself.
  delete headers['transfer-encoding'];
  delete headers['content-length'];
  return headers;
}

async function sendWhole(req: IncomingMessage, res: ServerResponse, response: Response): Promise<void> {
  const headers = headersOf(response);
  const type = headers['content-type'] ?? '';
  const body = await response.text();
  if (type.startsWith('text/html')) return respond(req, res, { status: response.status, headers: PAGE_HEADERS, body });
  headers['content-type'] = typeFor(req, response.status, type);
  headers['cache-control'] ??= 'no-store';
  return respond(req, res, { status: response.status, headers, body });
}
