import { open } from 'node:fs/promises';

const WINDOW = 64 * 1024;

/** Random access to a file's bytes through one small window, so that a header costs a read or two. */
export interface ByteSource extends AsyncDisposable {
  /** Bytes in the file. */
  readonly size: number;
  /** The bytes from `offset`; fewer than `length` (or none) at the end of the file. Valid until the next read. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** Opens `path` for reading; `dispose` closes it. Throws what `fs` throws and the signal's reason. */
export async function openSource(path: string, signal?: AbortSignal): Promise<ByteSource> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  const buffer = Buffer.allocUnsafe(WINDOW);
  let start = 0;
  let filled = 0;

  async function fill(into: Buffer, offset: number): Promise<number> {
    signal?.throwIfAborted();
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await file.read(into, done, into.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  return {
    size,
    async read(offset, length) {
      if (length <= 0 || offset < 0 || offset >= size) return Buffer.alloc(0);
      const wanted = Math.min(length, size - offset);
      if (wanted > WINDOW) {
        const own = Buffer.allocUnsafe(wanted);
        return own.subarray(0, await fill(own, offset));
      }
      if (offset < start || offset + wanted > start + filled) {
        filled = await fill(buffer, offset);
        start = offset;
      }
      return buffer.subarray(offset - start, Math.min(filled, offset - start + wanted));
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
