import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '../errors.ts';
import type { GraphQLServer } from '../graphql/server.ts';
import { assertLength, BODY_TYPES, mediaTypeOf } from './bodies.ts';
import { pipeEvents } from './event-stream.ts';
import type { HttpLimits } from './limits.ts';
import { PAGE_HEADERS } from './pages.ts';
import { tokenIn } from './request.ts';
import { respond, respondWithError } from './respond.ts';
import type { Handler } from './server.ts';
import type { Authenticate, SessionWatch } from './sessions.ts';

export interface GraphQLRouteOptions {
  readonly graphql: GraphQLServer;
  readonly authenticate: Authenticate;
  readonly sessions: SessionWatch;
  readonly limits: Pick<HttpLimits, 'bodyBytes' | 'stalledReaderMs'>;
  /** Aborts when the service stops; event streams end then. */
  readonly stopping: AbortSignal;
}

const JSON_TYPE = 'application/json';
const RESPONSE_TYPE = 'application/graphql-response+json';

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
  const { graphql, authenticate, sessions, limits, stopping } = options;

  return async (req, res, request) => {
    const type = mediaTypeOf(req);
    if (req.method === 'POST' && !BODY_TYPES.has(type)) {
      const message = `Send the operation as ${JSON_TYPE}, or as multipart/form-data with files.`;
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
    const signal = AbortSignal.any([request.signal, over.signal]);
    const facts = { ...request, actor: authenticated.actor, signal };
    const response = await graphql.yoga.handleNodeRequestAndResponse(req, res, { facts, req, res });
    const end = () => over.abort(new DOMException('The stream is over.', 'AbortError'));
    await send(req, res, response, async (body) => {
      const stop = sessions.whenOver(authenticated, end);
      stopping.addEventListener('abort', end, { once: true });
      if (stopping.aborted) end();
      try {
        await pipeEvents(body, res, { signal, stalledMs: limits.stalledReaderMs });
      } finally {
        stopping.removeEventListener('abort', end);
        stop();
        end();
      }
    });
  };
}

type Stream = (body: ReadableStream<Uint8Array>) => Promise<void>;

async function send(req: IncomingMessage, res: ServerResponse, response: Response, stream: Stream): Promise<void> {
  const headers: Record<string, string> = {};
  // oxlint-disable-next-line unicorn/no-array-for-each -- iterating misses what Yoga has set by object.
  response.headers.forEach((value, name) => {
    headers[name.toLowerCase()] = value;
  });
  const type = headers['content-type'] ?? '';
  if (response.body !== null && /^(?:text\/event-stream|multipart\/mixed)/.test(type)) {
    // Node frames the stream by itself.
    delete headers['transfer-encoding'];
    res.writeHead(response.status, headers);
    await stream(response.body);
    return;
  }
  delete headers['content-length'];
  const body = await response.text();
  if (type.startsWith('text/html')) return respond(req, res, { status: response.status, headers: PAGE_HEADERS, body });
  headers['content-type'] = typeFor(req, response.status, type);
  headers['cache-control'] ??= 'no-store';
  return respond(req, res, { status: response.status, headers, body });
}
