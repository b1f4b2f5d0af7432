import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { assertNoSecrets } from './canaries.ts';
import { WITHOUT_NETS } from './without-nets.ts';

const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli.ts');

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** Resolves once standard error has said this. */
  said(what: RegExp): Promise<RegExpExecArray>;
  finished: Promise<Finished>;
}

export interface CliOptions {
  /** Where it runs, also the place of `data` unless `dataDir` says otherwise. */
  cwd: string;
  dataDir?: string;
  env?: Record<string, string>;
  input?: string;
}

/** A folder that goes when the test file ends; call it in a hook or a test. */
export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'heirloom-cli-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The same, gone with the test. */
export async function folderForTest(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** Starts `node src/cli.ts …` as a process of its own, without a terminal and without the variables of this one. */
export function startCli(args: string[], options: CliOptions): Running {
  const { cwd, dataDir = join(cwd, 'data') } = options;
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: {
      PATH: process.env['PATH'] ?? '',
      DATA_DIR: dataDir,
      PORT: '0',
      LOG_LEVEL: 'error',
      ...WITHOUT_NETS,
      ...options.env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  let heard = '';
  const waiting = new Set<() => void>();
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    heard += chunk;
    for (const check of waiting) check();
  });
  const out = text(child.stdout);
  const finished = once(child, 'close').then(async ([code]): Promise<Finished> => {
    const stdout = await out;
    assertNoSecrets(stdout + heard, 'the command line');
    return { code: code as number | null, stdout, stderr: heard };
  });
  return {
    child,
    finished,
    said: (what) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const match = what.exec(heard);
          if (match === null) return;
          waiting.delete(check);
          resolve(match);
        };
        waiting.add(check);
        check();
        void finished.then(() => reject(new Error(`it ended without ${what}: ${heard}`)));
      }),
  };
}

export const runCli = (args: string[], options: CliOptions): Promise<Finished> => startCli(args, options).finished;

export interface TestService extends AsyncDisposable {
  url: string;
  /** Stops it with SIGTERM. @returns its exit code. */
  stop(): Promise<number | null>;
  /** Runs a GraphQL operation; the answer as it is. */
  ask(query: string, token?: string, variables?: object): Promise<{ data?: any; errors?: any[] }>;
}

/** `heirloom serve` on a free port. */
export async function startService(options: CliOptions): Promise<TestService> {
  const running = startCli(['serve'], options);
  const url = (await running.said(/listening on (\S+)/))[1] ?? '';
  const stop = async (): Promise<number | null> => {
    running.child.kill('SIGTERM');
    return (await running.finished).code;
  };
  return {
    url,
    stop,
    async ask(query, token, variables = {}) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as { data?: any; errors?: any[] };
    },
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
