import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
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

/** Bytes gathered before a write: busboy's parts are small, and each write costs a trip to the thread pool. */
const BATCH_BYTES = 256 * 1024;
const TEMPORARY = '.part';

/** A stream of graphql-upload-minimal says so when busboy has cut it off at its own limit. */
type UploadStream = Readable & { truncated?: boolean };

export interface Spool {
  /**
   * Writes a stream to a temporary file while it counts and hashes; resolves when it is durable. On any failure the
   * stream is destroyed and the file removed.
   *
   * @throws AppError PAYLOAD_TOO_LARGE as soon as `maxBytes` is passed, STORAGE_FULL, BAD_USER_INPUT when the stream
   *   fails or ends too early; the reason of `signal` when it aborts.
   */
  spool(stream: UploadStream, options?: { signal?: AbortSignal }): Promise<SpooledFile>;
  /** Removes temporary files that were last written to more than `olderThanMs` ago; resolves to how many. */
  sweep(olderThanMs: number): Promise<number>;
}

async function writeAll(file: FileHandle, chunks: Uint8Array[]): Promise<void> {
  const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  let { bytesWritten } = await file.writev(chunks);
  if (bytesWritten === total) return;
  // A disk that is nearly full takes a part; the next write gives the error, or goes on.
  const rest = Buffer.concat(chunks);
  while (bytesWritten < total) bytesWritten += (await file.write(rest, bytesWritten)).bytesWritten;
}

/** Takes chunks, writes them in batches, one batch behind: the next is gathered while the last is written. */
function createBatches(file: FileHandle): {
  add(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Resolves when nothing is being written any more, whatever came of it. */
  idle(): Promise<void>;
} {
  let batch: Uint8Array[] = [];
  let gathered = 0;
  let writing: Promise<void> = Promise.resolve();
  async function next(): Promise<void> {
    await writing;
    writing = writeAll(file, batch);
    // Awaited with the next batch; until then nobody listens.
    writing.catch(() => {});
    batch = [];
    gathered = 0;
  }
  return {
    async add(chunk) {
      batch.push(chunk);
      gathered += chunk.length;
      if (gathered >= BATCH_BYTES) await next();
    },
    async end() {
      if (batch.length > 0) await next();
      await writing;
    },
    idle: () => writing.catch(() => {}),
  };
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

  /** The source's own errors mean that the client went away or sent nonsense; ours keep their meaning. */
  async function* readSource(stream: UploadStream, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof AppError) throw error;
      throw new AppError('BAD_USER_INPUT', 'The upload ended before the file was complete. Send it again.', {
        cause: error,
      });
    }
    if (stream.truncated === true) throw tooLarge();
  }

  async function receive(
    stream: UploadStream,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<{ bytes: number; sha256: string }> {
    const file = await open(path, 'wx', 0o600);
    const batches = createBatches(file);
    try {
      const hash = createHash('sha256');
      let bytes = 0;
      for await (const chunk of readSource(stream, signal)) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw tooLarge();
        hash.update(chunk);
        await batches.add(chunk);
      }
      await batches.end();
      await file.datasync();
      return { bytes, sha256: hash.digest('hex') };
    } finally {
      await batches.idle();
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
      // The loop that reads reports errors; one that comes before or after it must not end the process.
      stream.on('error', () => {});
      stream.once('limit', onLimit);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        signal?.throwIfAborted();
        await mkdir(dir, { recursive: true, mode: 0o700 });
        const received = await receive(stream, path, signal);
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

    async sweep(olderThanMs) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      let removed = 0;
      for (const name of await readdir(dir)) {
        if (!name.endsWith(TEMPORARY)) continue;
        const path = join(dir, name);
        const found = await stat(path).catch(() => null);
        if (found === null || (olderThanMs > 0 && Date.now() - found.mtimeMs < olderThanMs)) continue;
        await discard(path);
        removed++;
      }
      if (removed > 0) log.info({ removed }, 'removed temporary files');
      return removed;
    },
  };
}
