import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import type { GraphQLParams } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import type { RequestFacts } from '../graphql/server.ts';
import type { IncomingFile, SpooledFile } from '../storage/spool.ts';
import { assertLength } from './bodies.ts';
import { placeFiles, readOperations, type FilePlaces } from './multipart-map.ts';
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

const tooMany = (what: string) => new AppError('PAYLOAD_TOO_LARGE', `The request has too many ${what}.`);
const refused = (message: string) => new AppError('BAD_USER_INPUT', message);

/** Creates the parser of multipart requests. */
export function createMultipart(options: MultipartOptions): Multipart {
  const { spool, uploadSlots, maxFiles, maxFieldBytes } = options;
  const maxFileBytes = options.maxFileBytes > 0 ? options.maxFileBytes : Infinity;

  function createParser(req: IncomingMessage): busboy.Busboy {
    try {
      return busboy({
        headers: req.headers,
        defParamCharset: 'utf8',
        limits: {
          fieldSize: maxFieldBytes,
          fields: 2,
          files: maxFiles,
          // busboy reports its limit when it is reached, not when it is passed.
          fileSize: maxFileBytes + 1,
          headerPairs: 50,
        },
      });
    } catch {
      throw refused('The multipart body has no usable boundary.');
    }
  }

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
        return await receive(req, answered.signal, spooling, release);
      } catch (error) {
        release();
        throw error;
      }
    },
  };

  function receive(
    req: IncomingMessage,
    signal: AbortSignal,
    spooling: Promise<SpooledFile>[],
    release: () => void,
  ): Promise<GraphQLParams> {
    const parser = createParser(req);
    const { promise, resolve, reject } = Promise.withResolvers<GraphQLParams>();
    let operations: GraphQLParams | undefined;
    let places: FilePlaces | undefined;
    let ended = false;

    async function settle(): Promise<void> {
      await Promise.allSettled(spooling);
      release();
    }

    /** Ends the parsing; what has not arrived by now never will. */
    function finish(error: AppError): void {
      if (ended) return;
      ended = true;
      signal.removeEventListener('abort', onAbort);
      req.off('close', onClose);
      reject(error);
      for (const place of places?.values() ?? []) place.reject(error);
      req.unpipe(parser);
      // A parser that is destroyed reports a part it was in the midst of.
      parser.on('error', () => {}).destroy();
      req.resume();
      void settle();
    }
    const onAbort = () => finish(refused('The upload was cut off.'));
    const onClose = () => {
      if (!req.complete) finish(refused('The connection was closed during the upload.'));
    };

    const fields: Record<string, (value: string) => void> = {
      operations(value) {
        if (operations !== undefined) throw refused('There is more than one "operations".');
        operations = readOperations(value);
      },
      map(value) {
        if (operations === undefined) throw refused('"operations" must come before "map".');
        places = placeFiles(operations, value, maxFiles);
        resolve(operations);
      },
    };

    parser.on('field', (name, value, { valueTruncated }) => {
      if (ended) return;
      const read = Object.hasOwn(fields, name) ? fields[name] : undefined;
      try {
        if (valueTruncated) throw tooMany(`bytes in "${name.slice(0, 40)}"`);
        if (read === undefined) throw refused('Only "operations", "map" and the files of the map are taken.');
        read(value);
      } catch (error) {
        finish(error as AppError);
      }
    });
    parser.on('file', (name, stream, { filename }) => {
      const place = places?.get(name);
      if (ended || place === undefined || place.taken) {
        stream.on('error', () => {}).resume();
        finish(refused(places === undefined ? '"map" must come before the files.' : 'A file is not in the map.'));
        return;
      }
      place.taken = true;
      const spooled = spool.spool(detach(stream, maxFileBytes), { signal });
      spooled.catch(() => {});
      spooling.push(spooled);
      place.resolve({ filename: filename ?? '', spooled } satisfies IncomingFile);
    });
    parser.once('filesLimit', () => finish(tooMany('files')));
    parser.once('fieldsLimit', () => finish(refused('There are more fields than "operations" and "map".')));
    parser.once('error', (error: Error) => finish(refused(`The multipart body is malformed: ${error.message}.`)));
    parser.once('close', () => {
      finish(refused(places === undefined ? '"operations" or "map" is missing.' : 'A file of the map is missing.'));
    });
    signal.addEventListener('abort', onAbort, { once: true });
    req.once('close', onClose);
    req.pipe(parser);
    return promise;
  }
}
