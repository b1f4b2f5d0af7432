import type { App } from '../app.ts';
import type { Config } from '../config.ts';
import { lockDataDir, type ServiceOwner } from '../db/lock.ts';
import type { Log } from '../log.ts';
import { CliError } from './exit.ts';

/** Who works on a data folder: nobody, a service that can be reached, or another process. */
export type Holder = { kind: 'nobody' } | { kind: 'service'; owner: ServiceOwner } | { kind: 'process' };

/** Looks, without keeping the folder. */
export async function holderOf(dataDir: string): Promise<Holder> {
  const lock = await lockDataDir(dataDir);
  if (lock.held) {
    await lock.release();
    return { kind: 'nobody' };
  }
  return lock.owner === undefined ? { kind: 'process' } : { kind: 'service', owner: lock.owner };
}

/** Names the holder of a data folder in a sentence that says what to do. */
export function inUse(dataDir: string, holder: Exclude<Holder, { kind: 'nobody' }>): CliError {
  const by =
    holder.kind === 'service'
      ? `the service at ${holder.owner.url} (process ${holder.owner.pid})`
      : 'another process, which may be starting or ending';
  return new CliError(`The data folder ${dataDir} is in use by ${by}. Stop it first, then try again.`);
}

/**
 * Builds the service without letting it listen, for work that needs the data folder for itself, and takes it down again.
 *
 * @throws CliError naming the holder when the folder is in use.
 */
export async function withApp<T>(config: Config, log: Log, work: (app: App) => Promise<T>): Promise<T> {
  const holder = await holderOf(config.dataDir);
  if (holder.kind !== 'nobody') throw inUse(config.dataDir, holder);
  const { createApp } = await import('../app.ts');
  const app = await createApp(config, log);
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}
