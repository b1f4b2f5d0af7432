import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { clientOf, UPLOAD } from '../helpers/app.ts';
import { expectGroundRule, rssMb } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';
import { BOUNDARY, graphql, multipartBody } from '../helpers/raw-http.ts';
import { until } from '../helpers/service.ts';

const CLIENTS = 200;

async function service() {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-slow-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  return {
    ...(await startProcess(dataDir, {
      MAX_CONCURRENT_UPLOADS_PER_SESSION: '0',
      NODE_OPTIONS: '--max-semi-space-size=8',
    })),
    dataDir,
  };
}

/** The nearest rank, and the median of what each part of the time gave. */
const p99 = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1]!;
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

it('C22: 200 uploads of 1 KB/s are cut off, and other clients wait less than twice as long meanwhile', async () => {
  // A second service that nobody troubles, asked in turn with the first: whatever else the machine does slows both.
  const [troubled, quiet] = await Promise.all([service(), service()]);
  const token = await clientOf(troubled.url).guest();
  const ask = async ({ url }: { url: string }): Promise<number> => {
    const began = performance.now();
    expect((await graphql(url, '{ health { ok } }')).status).toBe(200);
    return performance.now() - began;
  };
  // As many as are to come, so that what requests alone make a heap grow by is in it.
  for (let n = 0; n < 2000; n++) await Promise.all([ask(troubled), ask(quiet)]);
  const idle = rssMb(troubled);

  const body = multipartBody(UPLOAD, { file: null }, [{ path: 'variables.file', content: Buffer.alloc(1e6) }]);
  const head =
    `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const { hostname, port } = new URL(troubled.url);
  const sockets: Socket[] = Array.from({ length: CLIENTS }, () => connect(Number(port), hostname));
  let sent = 0;
  for (const socket of sockets)
    socket
      .on('error', () => {})
      .resume()
      .write(head);
  const drip = setInterval(() => {
    const piece = body.subarray(sent, (sent += 1024));
    for (const socket of sockets) if (socket.writable) socket.write(piece);
  }, 1000);
  onTestFinished(() => {
    clearInterval(drip);
    sockets.forEach((socket) => socket.destroy());
  });

  const open = (): number => sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length;
  const parts: { troubled: number; quiet: number }[] = [];
  for (let part = 0; part < 7; part++) {
    const times = { troubled: [] as number[], quiet: [] as number[] };
    for (const end = performance.now() + 1200; performance.now() < end;) {
      times.troubled.push(await ask(troubled));
      times.quiet.push(await ask(quiet));
    }
    parts.push({ troubled: p99(times.troubled), quiet: p99(times.quiet) });
  }
  expect(open()).toBe(CLIENTS);
  const [meanwhile, normally] = [median(parts.map((one) => one.troubled)), median(parts.map((one) => one.quiet))];
  expect(meanwhile / normally, `${meanwhile} ms to ${normally} ms`).toBeLessThan(2);

  // The window of the minimum rate is ten seconds.
  await until(() => open() === 0, 25_000, 100);
  await expectGroundRule(troubled, idle);
});
