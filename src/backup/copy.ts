import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Writes a new file, durable when it resolves. @returns what was written. */
export async function copyHashed(
  from: Readable,
  to: string,
  signal: AbortSignal,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  await pipeline(from, counting, createWriteStream(to, { flags: 'wx', mode: 0o600, flush: true }), { signal });
  return { sha256: hash.digest('hex'), bytes };
}

export async function hashStream(from: Readable, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(from, hash, { signal });
  return hash.digest('hex');
}

export const hashOf = (path: string, signal: AbortSignal): Promise<string> =>
  hashStream(createReadStream(path), signal);

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
