import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { callbackify } from 'node:util';
import { AppError, toAppError } from '../errors.ts';
import type { Log } from '../log.ts';

/** A file that has arrived completely, in the temporary folder. */
export interface SpooledFile {
  readonly path: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Removes it unless it has been moved away; never throws. */
  discard(): Promise<void>;
}

/** A file of a multipart request: the parts are spooled as they arrive, whatever order they are awaited in. */
export interface IncomingFile {
  /** As the client called it; not to be trusted. */
  readonly filename: string;
  /** Resolves when the last byte is on the disk; rejects with PAYLOAD_TOO_LARGE, STORAGE_FULL or BAD_USER_INPUT. */
  readonly spooled: Promise<SpooledFile>;
}

/** Bytes that may gather while others are written: busboy's parts are small, and each write is a trip to the thread pool. */
const GATHERED_BYTES = 512 * 1024;
const TEMPORARY = '.part';

/** A stream of graphql-upload-minimal says so when busboy has cut it off at its own limit. */
type UploadStream = Readable & { truncated?: boolean };

export interface Spool {
  /**
   * Writes a stream to a temporary file while it counts and hashes; resolves when it is durable. On any failure the
   * stream is destroyed and the file removed. The chunks are its own from then on: what is written is freed.
   *
   * @throws AppError PAYLOAD_TOO_LARGE as soon as `maxBytes` is passed, STORAGE_FULL, BAD_USER_INPUT when the stream
   *   fails or ends too early; the reason of `signal` when it aborts.
   */
  spool(stream: UploadStream, options?: { signal?: AbortSignal }): Promise<SpooledFile>;
}

async function writeAll(file: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  let { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === total) return;
  // A disk that is nearly full takes a part; the next write gives the error, or goes on.
  const rest = Buffer.concat(chunks);
  while (bytesWritten < total) bytesWritten += (await file.write(rest, bytesWritten)).bytesWritten;
}

/**
 * Gives the memory of chunks back at once. Left to the garbage collector, 200 MB of uploads cost it eight passes over
 * the whole heap. A chunk that shares its memory with another is not touched.
 */
function free(chunks: Uint8Array[]): void {
  for (const { buffer, byteLength } of chunks) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
  }
}

/**
 * Writes to an open file, all that has gathered during one write in the next; frees what is written, syncs at the end.
 * `idle` resolves when nothing is being written any more, whatever came of it.
 */
function createWriter(file: FileHandle): { stream: Writable; idle(): Promise<void> } {
  let working = Promise.resolve();
  /** Whatever goes wrong here is our own fault, which the reader tells from those of the source. */
  const work = callbackify((task: Promise<void>): Promise<void> => {
    working = task.catch((error: unknown) => {
      throw toAppError(error);
    });
    return working;
  });
  const stream = new Writable({
    highWaterMark: GATHERED_BYTES,
    writev(entries, done) {
      const chunks = entries.map(({ chunk }) => chunk as Uint8Array);
      work(
        writeAll(file, chunks).then(() => free(chunks)),
        done,
      );
    },
    final: (done) => work(file.datasync(), done),
  });
  return { stream, idle: () => working.catch(() => {}) };
}

/**
 * Temporary files of uploads and results, beside the storage so that they are moved in without copying.
 *
 * @param options.dir made where it is missing.
 * @param options.maxBytes largest file; 0 = no limit.
 */
export function createSpool(options: { dir: string; maxBytes: number; log: Log }): Spool {
  const { dir, log } = options;
  const maxBytes = options.maxBytes > 0 ? options.maxBytes : Infinity;

  function tooLarge(): AppError {
    return new AppError('PAYLOAD_TOO_LARGE', `The file is larger than the ${maxBytes / 1e6} MB allowed here.`);
  }

  async function receive(stream: UploadStream, path: string): Promise<{ bytes: number; sha256: string }> {
    const file = await open(path, 'wx', 0o600);
    const writer = createWriter(file);
    const hash = createHash('sha256');
    let bytes = 0;
    const take = (chunk: Uint8Array): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) stream.destroy(tooLarge());
      else hash.update(chunk);
    };
    try {
      // Before the pipeline, at whose end chunks are freed.
      stream.on('data', take);
      await pipeline(stream, writer.stream);
      if (stream.truncated === true) throw tooLarge();
      return { bytes, sha256: hash.digest('hex') };
    } catch (error) {
      // Ours keep their meaning; the source's own mean that the client went away or sent nonsense.
      if (error instanceof AppError) throw error;
      throw new AppError('BAD_USER_INPUT', 'The upload ended before the file was complete. Send it again.', {
        cause: error,
      });
    } finally {
      stream.off('data', take);
      await writer.idle();
      await file.close();
    }
  }

  async function discard(path: string): Promise<void> {
    try {
      await rm(path, { force: true });
    } catch (err) {
      log.warn({ err, path }, 'could not remove a temporary file');
    }
  }

  return {
    async spool(stream, { signal } = {}) {
      const path = join(dir, `${randomUUID()}${TEMPORARY}`);
      const onLimit = (): void => void stream.destroy(tooLarge());
      const onAbort = (): void => void stream.destroy(signal?.reason as Error);
      // The pipeline reports errors; one that comes before or after it must not end the process.
      stream.on('error', () => {});
      stream.once('limit', onLimit);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        signal?.throwIfAborted();
        await mkdir(dir, { recursive: true, mode: 0o700 });
        const received = await receive(stream, path);
        signal?.throwIfAborted();
        return { path, ...received, discard: () => discard(path) };
      } catch (error) {
        stream.destroy();
        await discard(path);
        signal?.throwIfAborted();
        throw toAppError(error);
      } finally {
        stream.off('limit', onLimit);
        signal?.removeEventListener('abort', onAbort);
      }
    },
  };
}
