import { stat } from 'node:fs/promises';
import type { Log } from '../log.ts';
import type { Database } from './orm.ts';
import { withoutReader } from './reader.ts';

/** SQLite empties the WAL by itself as long as nobody reads for long; above this somebody did. */
const LARGE_BYTES = 16e6;
const EVERY_MS = 10_000;

/**
 * Keeps the WAL of a database in bounds (C13), and whole: a long reader lets it grow, and SQLite gives the room back only
 * when it starts it anew; and what is written into a file that somebody has deleted is lost with the process.
 *
 * @param options.everyMs how often it looks; default 10 seconds.
 */
export function keepWal(options: { database: Database; path: string; log: Log; everyMs?: number }): AsyncDisposable {
  const { database, path, log, everyMs = EVERY_MS } = options;
  const pragma = (text: string): Promise<Record<string, unknown>[]> =>
    database.orm.em.getConnection().execute(`pragma ${text}`);
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const found = await stat(`${path}-wal`).catch(() => null);
    if (found === null) {
      // SQLite holds it open still: from there everything goes into the database, and a new one is made.
      await withoutReader(database.fork(), async () => {
        await pragma('journal_mode = delete');
        await pragma('journal_mode = wal');
      });
      log.error({ path: `${path}-wal` }, 'somebody deleted a file of the database; nothing is lost');
    } else if (found.size > LARGE_BYTES) {
      const [outcome] = await pragma('wal_checkpoint(truncate)');
      // Not while somebody still reads what is in it.
      if (outcome?.['busy'] === 0) log.info({ bytes: found.size }, 'emptied the WAL');
    }
  }

  const timer = setInterval(() => {
    looking ??= look()
      // Another process reads or writes: the next look is soon.
      .catch((err: unknown) => log.warn({ err }, 'could not put the WAL in order'))
      .finally(() => (looking = undefined));
  }, everyMs).unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await looking;
    },
  };
}
