import { once } from 'node:events';
import type { Duplex } from 'node:stream';

/** A piece at a time, so that neither side holds up its event loop. */
const PIECE = 1024 * 1024;

/** Anything over plain or shared memory. */
type Bytes = Pick<Uint8Array, 'buffer' | 'byteOffset' | 'byteLength'>;

const bytesOf = ({ buffer, byteOffset, byteLength }: Bytes): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Writes all of it. @throws the socket's error; the signal's reason. */
export async function send(socket: Duplex, data: Bytes, signal?: AbortSignal): Promise<void> {
  const bytes = bytesOf(data);
  for (let at = 0; at < bytes.length; at += PIECE) {
    signal?.throwIfAborted();
    if (!socket.write(bytes.subarray(at, at + PIECE)))
      await once(socket, 'drain', signal === undefined ? {} : { signal });
  }
}

/** Reads exactly as much as `data` holds. @throws an Error when the other side ends before; the signal's reason. */
export function receive(socket: Duplex, data: Bytes, signal?: AbortSignal): Promise<void> {
  const bytes = bytesOf(data);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let at = 0;

  function stop(): void {
    socket.off('readable', read).off('end', ended).off('close', ended).off('error', reject);
    signal?.removeEventListener('abort', abort);
  }
  function read(): void {
    while (at < bytes.length) {
      const left = bytes.length - at;
      const piece = socket.read(Math.min(left, socket.readableLength)) as Buffer | null;
      if (piece === null) return;
      bytes.set(piece, at);
      at += piece.length;
    }
    stop();
    resolve();
  }
  function ended(): void {
    stop();
    reject(new Error('The other side of the pipe is gone.'));
  }
  function abort(): void {
    stop();
    reject(signal?.reason as Error);
  }
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  socket.on('readable', read).on('end', ended).on('close', ended).on('error', reject);
  signal?.addEventListener('abort', abort, { once: true });
  read();
  return promise;
}
