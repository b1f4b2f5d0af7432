import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..');
const NODE = join(ROOT, 'node_modules/.bin/node');
/** Linux counts processor time in hundredths of a second, whatever its timer. */
const TICKS_PER_SECOND = 100;

export interface BenchProcess {
  /** Where it answers. */
  readonly url: string;
  readonly pid: number;
  /** From the spawn until it said that it listens, in ms. */
  readonly startedIn: number;
  /** Resident memory in MB (10^6 bytes); `null` where there is no /proc. */
  rss(): Promise<number | null>;
  /** The highest that it has been, in MB. */
  peakRss(): Promise<number | null>;
  /** Processor time of every thread since the start, in seconds; `null` where there is no /proc. */
  cpuSeconds(): Promise<number | null>;
  /** SIGTERM, and SIGKILL after ten seconds; resolves when it has ended. */
  stop(): Promise<void>;
}

async function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number | null> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
  return kibibytes === undefined ? null : (Number(kibibytes) * 1024) / 1e6;
}

async function cpuOf(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The name in brackets may hold anything; utime and stime are fields 14 and 15 (proc(5)).
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields === undefined ? null : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Starts a Node process and waits until it has written `listening on URL` to standard error, as the service does.
 * It ends with this process.
 *
 * @param args of the project's own Node, relative to the root of the project.
 * @throws Error with what it wrote when it ends before that.
 */
export async function startNode(args: readonly string[], env: Record<string, string> = {}): Promise<BenchProcess> {
  const began = performance.now();
  const child = spawn(NODE, args, {
    cwd: ROOT,
    // Two arenas as the service asks for: it would begin anew for them, after what `--import` has loaded has run.
    env: { PATH: process.env['PATH'], MALLOC_ARENA_MAX: '2', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  let stderr = '';
  const ended = once(child, 'exit');
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-10_000);
      const found = /listening on (http:\S+)/.exec(stderr)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then(() => reject(new Error(`The process ended before it listened:\n${stderr}`)));
  });
  const startedIn = performance.now() - began;
  const pid = child.pid!;
  return {
    url,
    pid,
    startedIn,
    rss: () => memoryOf(pid, 'VmRSS'),
    peakRss: () => memoryOf(pid, 'VmHWM'),
    cpuSeconds: () => cpuOf(pid),
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
      process.off('exit', killWithUs);
    },
  };
}

/** The service as `npm start` runs it, on a free port of the loopback address, with its data in `dataDir`. */
export function startService(dataDir: string, env: Record<string, string> = {}): Promise<BenchProcess> {
  return startNode(['--max-semi-space-size=8', 'src/main.ts'], {
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: dataDir,
    ...env,
  });
}

/**
 * Sends one operation. @throws Error for what is not a plain answer.
 */
export async function ask<T = any>(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
  token?: string,
): Promise<T> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: T; errors?: { message: string }[] };
  if (errors !== undefined) throw new Error(errors[0]?.message);
  return data;
}

/** The token of a new guest. */
export async function guest(url: string): Promise<string> {
  return (await ask(url, 'mutation { startGuestSession { token } }')).startGuestSession.token;
}
