import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import type { ServerContext } from '../graphql/server.ts';
import { parseJson } from './json.ts';
import type { Multipart } from './multipart.ts';

/** The part of `Content-Type` before the parameters, in lower case; '' when there is none. */
export function mediaTypeOf(req: IncomingMessage): string {
  return (req.headers['content-type'] ?? '').split(/[;,]/, 1)[0]?.trim().toLowerCase() ?? '';
}

/** The types a POST to /graphql may have. A page of another site can send the others without asking the browser. */
export const BODY_TYPES: ReadonlySet<string> = new Set([
  'application/json',
  'application/graphql+json',
  'multipart/form-data',
]);

/**
 * Refuses a body by what its headers say, before a byte is read.
 *
 * @throws AppError PAYLOAD_TOO_LARGE
 */
export function assertLength(req: IncomingMessage, limit: number): void {
  if (Number(req.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
}

const tooMany = (): AppError =>
  new AppError('RATE_LIMITED', 'Too many long requests are arriving just now. Send it again.', { retryAfter: 1 });

function tooLarge(limit: number): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', `The request is larger than the ${limit / 1e6} MB allowed here.`);
}

/** Bytes of a body that are always kept; almost all requests are shorter. */
const FREE_BYTES = 64 * 1024;
/** Of what is beyond, of all bodies that are still arriving: a stranger could fill gigabytes with halves of long ones. */
const SHARED_BYTES = 64e6;

interface Held {
  bytes: number;
}

/** Reads a body of at most `limit` bytes; what comes beyond is left to whoever settles the connection. */
function readText(req: IncomingMessage, limit: number, signal: AbortSignal, held: Held): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let beyond = 0;
    const finish = (error?: unknown) => {
      held.bytes -= beyond;
      beyond = 0;
      req.off('data', onData).off('end', onEnd).off('error', finish);
      signal.removeEventListener('abort', onAbort);
      const body = Buffer.concat(chunks);
      if (error !== undefined) reject(error);
      // Decoding would replace what is no UTF-8, and another encoding would be stored as rubbish.
      else if (!isUtf8(body)) reject(new AppError('BAD_USER_INPUT', 'The body is not UTF-8.'));
      else resolve(body.toString('utf8'));
    };
    const onAbort = () => finish(signal.reason);
    const onEnd = () => finish();
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      const more = Math.max(0, bytes - FREE_BYTES) - beyond;
      beyond += more;
      held.bytes += more;
      if (bytes > limit) finish(tooLarge(limit));
      else if (more > 0 && held.bytes > SHARED_BYTES) finish(tooMany());
      else chunks.push(chunk);
    };
    req.on('data', onData).on('end', onEnd).on('error', finish);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function parametersIn(text: string): GraphQLParams {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('BAD_USER_INPUT', 'The body is not JSON.');
  }
  if (Array.isArray(value)) throw new AppError('BAD_USER_INPUT', 'Batching is not supported. Send one operation.');
  if (typeof value !== 'object' || value === null)
    throw new AppError('BAD_USER_INPUT', 'The body must be a JSON object.');
  return value as GraphQLParams;
}

/**
 * The request parsers: JSON is read here, with a limit, and multipart bodies are spooled; Yoga's own parsers never touch
 * a body.
 *
 * @param options.limit bytes of a JSON body.
 */
export function createBodies(options: { limit: number; multipart: Multipart }): Plugin<object, ServerContext> {
  const { limit, multipart } = options;
  const held: Held = { bytes: 0 };
  const parsers: Record<string, (context: ServerContext) => Promise<GraphQLParams>> = {
    'application/json': async ({ req, facts }) => parametersIn(await readText(req, limit, facts.signal, held)),
    'application/graphql+json': async ({ req, facts }) => parametersIn(await readText(req, limit, facts.signal, held)),
    'multipart/form-data': ({ req, res, facts }) => multipart.read(req, res, facts),
  };
  return {
    onRequestParse({ requestParser, setRequestParser, serverContext }) {
      if (serverContext.req.method === 'POST') {
        const parse = parsers[mediaTypeOf(serverContext.req)];
        if (parse) setRequestParser(() => parse(serverContext));
      } else if (requestParser) {
        setRequestParser(async (request) => {
          try {
            return await requestParser(request);
          } catch (error) {
            if (!(error instanceof SyntaxError)) throw error;
            throw new AppError('BAD_USER_INPUT', 'The parameters "variables" and "extensions" must be JSON.');
          }
        });
      }
    },
  };
}
