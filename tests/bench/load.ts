import { once } from 'node:events';
import { connect } from 'node:net';
import { fork } from 'node:child_process';

/** One request, sent again and again on every connection as soon as its answer is there. */
export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly perSecond: number;
  /** Answers that were not 200. */
  readonly failed: number;
}

export interface LoadGenerator {
  run(load: Load): Promise<LoadResult>;
  stop(): void;
}

const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const CHUNKS_END = '\r\n0\r\n\r\n';

/** The bytes of the first answer in `text` (latin1); -1 while it is not whole. */
function answerEnd(text: string): number {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return -1;
  const head = text.slice(0, headEnd);
  const length = LENGTH.exec(head)?.[1];
  if (length !== undefined) {
    const end = headEnd + 4 + Number(length);
    return text.length >= end ? end : -1;
  }
  if (!CHUNKED.test(head)) throw new Error(`an answer without a length: ${head}`);
  const last = text.indexOf(CHUNKS_END, headEnd + 2);
  return last < 0 ? -1 : last + CHUNKS_END.length;
}

/** Sockets and as little work per answer as can be, so that the server is what is measured. */
async function generate({ url, headers, body, connections, seconds }: Load): Promise<LoadResult> {
  const { hostname, port, host, pathname } = new URL(url);
  const head = Object.entries({ host, 'content-length': String(Buffer.byteLength(body)), ...headers });
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const request = Buffer.from(`POST ${pathname} HTTP/1.1\r\n${lines}\r\n${body}`);
  let answers = 0;
  let failed = 0;
  const began = performance.now();
  const until = began + seconds * 1000;
  const all = Array.from({ length: connections }, async () => {
    const socket = connect(Number(port), hostname).setNoDelay();
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = answerEnd(text);
      if (end < 0) return;
      if (!text.startsWith('HTTP/1.1 200 ')) failed += 1;
      answers += 1;
      text = text.slice(end);
      if (performance.now() < until) socket.write(request);
      else socket.end();
    });
    socket.write(request);
    await once(socket, 'close');
  });
  await Promise.all(all);
  return { perSecond: (answers / (performance.now() - began)) * 1000, failed };
}

/** A process of its own, so that making the load takes nothing from whoever measures. */
export function createLoadGenerator(): LoadGenerator {
  const child = fork(import.meta.filename, { execPath: process.execPath });
  return {
    async run(load) {
      child.send(load);
      const [result] = (await once(child, 'message')) as [LoadResult | { error: string }];
      if ('error' in result) throw new Error(result.error);
      return result;
    },
    stop: () => void child.kill(),
  };
}

if (import.meta.main && process.send !== undefined) {
  process.on('message', (load: Load) => {
    generate(load).then(
      (result) => process.send!(result),
      (error: unknown) => process.send!({ error: String(error) }),
    );
  });
}
