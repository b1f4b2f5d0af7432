import { existsSync } from 'node:fs';
import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { DataDirInUse, lockDataDir, takeDataDir, type HeldDataDirLock, type ServiceOwner } from '../db/lock.ts';
import type { Log } from '../log.ts';
import { CliError } from './exit.ts';

/** Who works on a data folder: nobody, a service that can be reached, or another process. */
export type Holder = { kind: 'nobody' } | { kind: 'service'; owner: ServiceOwner } | { kind: 'process' };

/** Looks, without keeping the folder. */
export async function holderOf(dataDir: string): Promise<Holder> {
  if (!existsSync(dataDir)) return { kind: 'nobody' };
  const lock = await lockDataDir(dataDir);
  if (lock.held) {
    await lock.release();
    return { kind: 'nobody' };
  }
  return lock.owner === undefined ? { kind: 'process' } : { kind: 'service', owner: lock.owner };
}

/** A folder in use is no fault of the configuration here: another command is at work. */
function refuse(error: unknown): never {
  throw error instanceof DataDirInUse ? new CliError(`${error.problems[0]}.`) : error;
}

/** Takes a data folder. @throws CliError naming whoever has it. */
export function lockOrExplain(dataDir: string): Promise<HeldDataDirLock> {
  return takeDataDir(dataDir).catch(refuse);
}

/**
 * Builds the service without letting it listen, for work that needs the data folder for itself, and takes it down again.
 *
 * @throws CliError naming whoever has the folder when it is in use.
 */
export async function withApp<T>(config: Config, log: Log, work: (app: App) => Promise<T>): Promise<T> {
  const { createApp } = await import('../app.ts');
  const app = await createApp(config, log).catch(refuse);
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}
