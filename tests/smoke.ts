/**
 * Starts `node src/main.ts` as a user would, restores the sample photo through the command line as a client of that
 * service, and stops it. Exit code 0 when the result is a picture.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const folder = await mkdtemp(join(tmpdir(), 'heirloom-smoke-'));
const service = spawn(process.execPath, ['src/main.ts'], {
  env: { ...process.env, PORT: '0', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' },
  stdio: ['ignore', 'inherit', 'pipe'],
});

async function greeting(): Promise<string> {
  for await (const line of createInterface({ input: service.stderr })) {
    process.stdout.write(`${line}\n`);
    const url = /listening on (\S+)/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('the service ended before it was listening');
}

async function run(command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${String(code)}`);
}

try {
  const started = performance.now();
  const url = await greeting();
  process.stdout.write(`listening after ${Math.round(performance.now() - started)} ms\n`);
  const guest = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'mutation { startGuestSession { token } }' }),
  });
  const { data } = (await guest.json()) as { data: { startGuestSession: { token: string } } };
  const result = join(folder, 'restored.jpg');
  const args = ['src/cli.ts', 'restore', 'samples/astronaut.jpg', '-o', result, '--server', url];
  await run(process.execPath, [...args, '--token', data.startGuestSession.token]);
  const bytes = await readFile(result);
  if (bytes.readUInt16BE(0) !== 0xffd8 || bytes.length < 10_000) throw new Error('the result is no JPEG');
  process.stdout.write(`restored ${bytes.length} bytes\n`);
} finally {
  service.kill('SIGTERM');
  await once(service, 'exit');
  await rm(folder, { recursive: true });
}
