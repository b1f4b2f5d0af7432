import { existsSync } from 'node:fs';
import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { lockDataDir, type DataDirLock, type HeldDataDirLock, type ServiceOwner } from '../db/lock.ts';
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

/** Names whoever has the data folder in a sentence that says what to do. */
function inUse(dataDir: string, { owner }: Exclude<DataDirLock, HeldDataDirLock>): CliError {
  const by =
    owner === undefined
      ? 'another process, which may be starting or ending'
      : `the service at ${owner.url} (process ${owner.pid})`;
  return new CliError(`The data folder ${dataDir} is in use by ${by}. Stop it first, then try again.`);
}

/** Takes a data folder. @throws CliError naming whoever has it. */
export async function lockOrExplain(dataDir: string): Promise<HeldDataDirLock> {
  const lock = await lockDataDir(dataDir);
  if (!lock.held) throw inUse(dataDir, lock);
  return lock;
}

/**
 * Builds the service without letting it listen, for work that needs the data folder for itself, and takes it down again.
 *
 * @throws CliError naming whoever has the folder when it is in use.
 */
export async function withApp<T>(config: Config, log: Log, work: (app: App) => Promise<T>): Promise<T> {
  await (await lockOrExplain(config.dataDir)).release();
  const { createApp } = await import('../app.ts');
  const app = await createApp(config, log);
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}
