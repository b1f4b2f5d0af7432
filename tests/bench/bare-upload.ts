import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import busboy from 'busboy';

/**
 * What an upload costs with busboy alone: each file of a multipart request goes to the disk in the folder of the first
 * argument while it is hashed, is synced, and then the request is answered. A process of the bench.
 */
const [dir = '.'] = process.argv.slice(2);

const server = createServer((req, res) => {
  const files: Promise<void>[] = [];
  req
    .pipe(busboy({ headers: req.headers }))
    .on('file', (_name, part) => {
      const hash = createHash('sha256');
      part.on('data', (chunk: Buffer) => hash.update(chunk));
      // `flush` is an fsync before the close.
      files.push(finished(part.pipe(createWriteStream(join(dir, randomUUID()), { flush: true }))));
      void files.at(-1)?.then(() => hash.digest('hex'));
    })
    .on('close', () => void Promise.all(files).then(() => res.end('stored')));
});
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
