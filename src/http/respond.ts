import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { GraphQLError } from 'graphql';
import { withoutHttp, type ClientExtensions } from '../graphql/mask.ts';

const COMPRESSIBLE = /^(?:text\/(?!event-stream)|application\/(?:json|javascript|graphql-response\+json))/;
/** Below this a compressed answer saves no packet. */
const MIN_COMPRESSED_BYTES = 1024;

const brotli = promisify(brotliCompress);
const gzipped = promisify(gzip);

/** In order of preference; speed counts more than the last per cent, answers are made for one reader. */
const ENCODINGS: readonly { name: string; compress(body: Buffer): Promise<Buffer> }[] = [
  { name: 'br', compress: (body) => brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }) },
  { name: 'gzip', compress: (body) => gzipped(body, { level: 6 }) },
];

function accepts(header: string | undefined, encoding: string): boolean {
  return (header ?? '').split(',').some((item) => {
    const [name, ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    return name === encoding && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}

export interface Answer {
  readonly status: number;
  /** Must bear a content type where there is a body. */
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** Sends a complete answer, compressed where that is worth it and the client takes it. */
export async function respond(req: IncomingMessage, res: ServerResponse, answer: Answer): Promise<void> {
  const headers = { ...answer.headers };
  // Left as a text: Node sends it together with the headers, in one piece.
  let body: string | Buffer = answer.body ?? '';
  const type = String(headers['content-type'] ?? headers['Content-Type'] ?? '');
  if (COMPRESSIBLE.test(type)) {
    res.appendHeader('Vary', 'Accept-Encoding');
    const encoding =
      Buffer.byteLength(body) >= MIN_COMPRESSED_BYTES
        ? ENCODINGS.find(({ name }) => accepts(req.headers['accept-encoding'] as string | undefined, name))
        : undefined;
    if (encoding) {
      body = await encoding.compress(Buffer.from(body));
      headers['Content-Encoding'] = encoding.name;
    }
  }
  if (res.destroyed) return;
  if (answer.status !== 204 && answer.status !== 304) headers['Content-Length'] = Buffer.byteLength(body);
  res.writeHead(answer.status, headers);
  res.end(req.method === 'HEAD' ? undefined : body);
}

/** Sends a masked error in the shape of a GraphQL answer, which every client of the service can read. */
export function respondWithError(
  req: IncomingMessage,
  res: ServerResponse,
  error: GraphQLError,
  override: { status?: number; headers?: OutgoingHttpHeaders } = {},
): Promise<void> {
  const { http } = error.extensions as unknown as ClientExtensions;
  return respond(req, res, {
    status: override.status ?? http.status,
    headers: {
      'Content-Type': 'application/graphql-response+json; charset=utf-8',
      'Cache-Control': 'no-store',
      ...http.headers,
      ...override.headers,
    },
    body: JSON.stringify({ errors: [withoutHttp(error)] }),
  });
}
