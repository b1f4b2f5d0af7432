import { createHash } from 'node:crypto';
import { createWriteStream, openAsBlob } from 'node:fs';
import { basename } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { AppError, ERROR_CODES, type ErrorCode } from '../errors.ts';
import { CliError, reasonOf } from './exit.ts';
import type { TypedDocumentString } from './generated/graphql.ts';

type Variables = Record<string, unknown>;

/** One signed-in client of a service. */
export interface Client {
  /** Where the service answers, without a slash at the end. */
  readonly url: string;
  /** Runs a query or mutation. @throws AppError with the service's code, CliError when there is no answer. */
  execute<R, V extends Variables>(document: TypedDocumentString<R, V>, variables: V, signal: AbortSignal): Promise<R>;
  /** The same with files, by the path of their place, e.g. `variables.input.file`, streamed from the disk. */
  upload<R, V extends Variables>(
    document: TypedDocumentString<R, V>,
    variables: V,
    files: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<R>;
  /** Follows a subscription to its end; a connection that is lost is made again. */
  follow<R, V extends Variables>(
    document: TypedDocumentString<R, V>,
    variables: V,
    signal: AbortSignal,
  ): AsyncGenerator<R, void>;
  /** Writes what a link holds to `path`. @returns its SHA-256 in hex. */
  download(link: string, path: string, signal: AbortSignal): Promise<string>;
  close(): Promise<void>;
}

interface WireError {
  message: string;
  extensions?: { code?: unknown; retryAfter?: unknown } | undefined;
}

function toError({ message, extensions }: WireError): AppError {
  const code = String(extensions?.code);
  const retryAfter = extensions?.retryAfter;
  return new AppError(
    Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL_SERVER_ERROR',
    message,
    typeof retryAfter === 'number' ? { retryAfter } : {},
  );
}

/** The answer of a service, whatever else may stand at that address. */
async function readAnswer<R>(url: string, response: Response): Promise<R> {
  const text = await response.text();
  let answer: { data?: R | null; errors?: WireError[] };
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    throw new CliError(`${url} does not answer like Heirloom (HTTP ${response.status}).`);
  }
  const [error] = answer.errors ?? [];
  if (error !== undefined) throw toError(error);
  if (answer.data === undefined || answer.data === null) {
    throw new CliError(`${url} does not answer like Heirloom (HTTP ${response.status}).`);
  }
  return answer.data;
}

/**
 * @param options.url of the service, with or without `/graphql`.
 * @param options.token of a session; without one nobody is signed in.
 * @param options.localize turns the links of a service on this machine into ones that reach it from here.
 */
export function createClient(options: {
  url: string;
  token?: string | undefined;
  localize?: (link: string) => string;
}): Client {
  const { token, localize = (link: string) => link } = options;
  const url = options.url.replace(/\/+$/, '').replace(/\/graphql$/, '');
  const endpoint = `${url}/graphql`;
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = createSocketClient({
    url: endpoint.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: authorization,
    retryAttempts: 5,
    // A refused connection comes as an event that is no CloseEvent, and is worth another try, too.
    shouldRetry: () => true,
  });

  async function request(to: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    try {
      return await fetch(to, init);
    } catch (error) {
      init.signal.throwIfAborted();
      throw new CliError(`${url} cannot be reached: ${reasonOf(error)}.`, 'failed', error);
    }
  }

  return {
    url,

    async execute<R>(document: TypedDocumentString<R, Variables>, variables: Variables, signal: AbortSignal) {
      const body = JSON.stringify({ query: document.toString(), variables });
      const headers = { ...authorization, 'content-type': 'application/json' };
      return readAnswer<R>(url, await request(endpoint, { method: 'POST', headers, body, signal }));
    },

    async upload<R>(
      document: TypedDocumentString<R, Variables>,
      variables: Variables,
      files: Readonly<Record<string, string>>,
      signal: AbortSignal,
    ) {
      // https://github.com/jaydenseric/graphql-multipart-request-spec
      const body = new FormData();
      body.set('operations', JSON.stringify({ query: document.toString(), variables }));
      const entries = Object.entries(files).map(([place, path], index) => ({ place, path, name: String(index) }));
      body.set('map', JSON.stringify(Object.fromEntries(entries.map(({ name, place }) => [name, [place]]))));
      for (const { name, path } of entries) body.set(name, await openAsBlob(path), basename(path));
      return readAnswer<R>(url, await request(endpoint, { method: 'POST', headers: authorization, body, signal }));
    },

    async *follow<R>(document: TypedDocumentString<R, Variables>, variables: Variables, signal: AbortSignal) {
      signal.throwIfAborted();
      const events = socket.iterate<R>({ query: document.toString(), variables });
      const stop = (): void => void events.return?.();
      signal.addEventListener('abort', stop, { once: true });
      try {
        for await (const { data, errors } of events) {
          if (errors?.[0] !== undefined) throw toError(errors[0]);
          if (data !== null && data !== undefined) yield data;
        }
        signal.throwIfAborted();
      } catch (error) {
        if (error instanceof Error) throw error;
        // The library throws what ended the operation: a list of GraphQL errors, or an event of the socket.
        if (Array.isArray(error) && error[0] !== undefined) throw toError(error[0] as WireError);
        const { reason, message } = error as { reason?: string; message?: string };
        throw new CliError(`The connection to ${url} was lost: ${reason || message || 'it did not come back'}.`);
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },

    async download(link, path, signal) {
      const response = await request(localize(link), { signal });
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        throw new CliError(`The result cannot be downloaded from ${url}: HTTP ${response.status}.`);
      }
      const hash = createHash('sha256');
      const measure = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
      });
      await pipeline(
        Readable.fromWeb(response.body as ReadableStream),
        measure,
        createWriteStream(path, { flags: 'wx' }),
        { signal },
      );
      return hash.digest('hex');
    },

    close: async () => socket.dispose(),
  };
}
