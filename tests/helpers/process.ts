import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { assertNoSecretsStored, watchLog } from './canaries.ts';
import { SERVICE_ENV } from './service-env.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface ServiceProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** From the spawn to the greeting, in ms. */
  readonly startedIn: number;
  /** Lines of log so far. */
  readonly lines: string[];
  /** What was written to standard error so far. */
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Everything that a process says before it ends without listening, with its exit code. */
export class DidNotStart extends Error {
  readonly code: number | NodeJS.Signals;
  constructor(code: number | NodeJS.Signals, stderr: string) {
    super(stderr);
    this.code = code;
  }
}

/** Somebody who may write to less than root. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * `node src/main.ts` on a free port; killed with the test, which fails when it has given away a secret.
 *
 * @throws DidNotStart
 */
export async function startProcess(
  dataDir: string,
  env: Record<string, string> = {},
  user: RunAs = {},
): Promise<ServiceProcess> {
  const began = performance.now();
  const child = spawn(join(ROOT, 'node_modules/.bin/node'), ['src/main.ts'], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...SERVICE_ENV, DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  const watch = watchLog('the log of a process');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    watch.check();
    await assertNoSecretsStored(dataDir);
  });
  const lines: string[] = [];
  let rest = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    watch.say(parts.join('\n'));
    lines.push(...parts);
  });
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals);
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      watch.say(chunk.toString());
      const found = /listening on (http:\S+)/.exec(stderr)?.[1];
      if (found !== undefined) resolve(found);
    });
    void ended.then((code) => reject(new DidNotStart(code, stderr)));
  });
  return {
    url,
    child,
    startedIn: performance.now() - began,
    lines,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    ended,
  };
}
