import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { processRequest, type Upload } from 'graphql-upload-minimal';
import type { GraphQLParams } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import type { RequestFacts } from '../graphql/server.ts';
import type { IncomingFile, SpooledFile } from '../storage/spool.ts';
import { assertLength } from './bodies.ts';
import { checkMap, readOperations, replaceAt } from './multipart-map.ts';
import { vetRequest } from './vetted-request.ts';
import { detach } from './detach.ts';

/** Bytes for boundaries and part headers, beyond the files and the two fields. */
const ENVELOPE_BYTES = 100_000;

export interface MultipartOptions {
  readonly spool: { spool(stream: Readable, options: { signal: AbortSignal }): Promise<SpooledFile> };
  /** Uploads under way per session; null = all places are taken. */
  readonly uploadSlots: { acquire(key: string): (() => void) | null };
  /** Bytes of one file; 0 = no limit. */
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  /** Bytes of `operations` and of `map`. */
  readonly maxFieldBytes: number;
}

export interface Multipart {
  /**
   * Reads a request by the GraphQL multipart request specification
   * (https://github.com/jaydenseric/graphql-multipart-request-spec). Resolves as soon as `operations` and `map` are in,
   * with a `Promise<IncomingFile>` in the place of each file; the files are written to the disk as they arrive, in
   * whatever order they are awaited. When the answer is out, or the client has gone, what is left of them is removed.
   *
   * @throws AppError UNAUTHENTICATED, RATE_LIMITED, PAYLOAD_TOO_LARGE or BAD_USER_INPUT; the first two before a byte of
   *   the body is read.
   */
  read(req: IncomingMessage, res: ServerResponse, facts: RequestFacts): Promise<GraphQLParams>;
}

const refused = (message: string, cause?: unknown) => new AppError('BAD_USER_INPUT', message, { cause });

const tooLong = (cause?: unknown) =>
  new AppError('PAYLOAD_TOO_LARGE', 'The request has too many files or too long a field.', { cause });

/** What graphql-upload-minimal throws has a `status`, what busboy throws has none. */
function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if ((error as { status?: unknown }).status === 413) return tooLong(error);
  return refused('The multipart body is malformed or incomplete. Send it again.', error);
}

/** Creates the parser of multipart requests. */
export function createMultipart(options: MultipartOptions): Multipart {
  const { spool, uploadSlots, maxFiles, maxFieldBytes } = options;
  const maxFileBytes = options.maxFileBytes > 0 ? options.maxFileBytes : Infinity;

  function takeSlot({ actor, address }: RequestFacts): () => void {
    if (actor.kind === 'anonymous') {
      throw new AppError('UNAUTHENTICATED', 'Sign in or start a guest session before you upload.');
    }
    const release = uploadSlots.acquire(actor.kind === 'user' ? actor.sessionId : address);
    if (release === null) {
      throw new AppError('RATE_LIMITED', 'Too many uploads are under way. Wait for one to finish.', { retryAfter: 1 });
    }
    return release;
  }

  return {
    async read(req, res, facts) {
      assertLength(req, maxFiles * maxFileBytes + 2 * maxFieldBytes + ENVELOPE_BYTES);
      const release = takeSlot(facts);
      const answered = new AbortController();
      const spooling: Promise<SpooledFile>[] = [];
      res.once('close', () => {
        answered.abort(new DOMException('The request is over.', 'AbortError'));
        release();
        for (const file of spooling) void file.then((spooled) => spooled.discard()).catch(() => {});
      });
      try {
        return await receive(req, res, answered.signal, spooling, release);
      } catch (error) {
        release();
        throw error;
      }
    },
  };

  async function receive(
    req: IncomingMessage,
    res: ServerResponse,
    signal: AbortSignal,
    spooling: Promise<SpooledFile>[],
    release: () => void,
  ): Promise<GraphQLParams> {
    let operations: GraphQLParams | undefined;
    let paths: Map<string, string> | undefined;
    const taken = new Set<string>();
    const { request, end } = vetRequest(req, {
      field(name, value, { valueTruncated }) {
        if (valueTruncated) throw tooLong();
        if (name === 'operations') {
          if (operations !== undefined) throw refused('There is more than one "operations".');
          operations = readOperations(value);
        } else if (name === 'map') {
          if (operations === undefined) throw refused('"operations" must come before "map".');
          paths = checkMap(operations, value, maxFiles);
        } else {
          throw refused('Only "operations", "map" and the files of the map are taken.');
        }
      },
      file(name) {
        if (paths === undefined) throw refused('"map" must come before the files.');
        if (!paths.has(name) || taken.has(name)) throw refused('A file is not in the map.');
        taken.add(name);
      },
    });
    signal.addEventListener('abort', () => end(refused('The upload was cut off.')), { once: true });
    const params = (await processRequest(request, res, {
      maxFieldSize: maxFieldBytes,
      // busboy reports its limit when it is reached, not when it is passed.
      maxFileSize: maxFileBytes + 1,
      maxFiles,
    }).catch((error: unknown) => {
      throw asAppError(error);
    })) as GraphQLParams;

    const arriving = [...(paths ?? new Map<string, string>()).values()].map((path) => {
      const file = Promise.withResolvers<IncomingFile>();
      replaceAt(params, path, (upload) => {
        (upload as Upload).promise
          .then((part) => {
            const spooled = spool.spool(detach(part.createReadStream(), maxFileBytes), { signal });
            spooled.catch(() => {});
            spooling.push(spooled);
            file.resolve({ filename: part.filename ?? '', spooled });
            return spooled;
          })
          .catch((error: unknown) => file.reject(asAppError(error)));
        return file.promise;
      });
      // Whether a resolver ever asks for it is up to the query.
      file.promise.catch(() => {});
      return file.promise.then(({ spooled }) => spooled);
    });
    void Promise.allSettled(arriving).then(release);
    return params;
  }
}
