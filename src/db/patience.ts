import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../errors.ts';

/** How long a statement waits for another process to let go of the database; C12. */
const PATIENCE_MS = 5000;
const STEP_MS = 20;
/** What goes through although somebody else writes. */
const UNHINDERED = /^\s*(select|pragma|rollback)\b/i;
/** Somebody else is writing, or puts a database in order after a crash. */
const WAITS = new Set(['SQLITE_BUSY', 'SQLITE_BUSY_RECOVERY']);

/** What Kysely asks of a connection. */
interface Connection {
  executeQuery(query: { readonly sql: string }): Promise<unknown>;
}

/**
 * Makes a connection wait for other processes without holding up this one: SQLite's own `busy_timeout` sleeps on the
 * thread that asks, and with it every socket, timer and upload. Transactions take the right to write when they begin, so
 * that none of them has to give up half-way because of what another process wrote since it read.
 *
 * Who has waited in vain does not make those behind wait as long again: while the database stays taken, they are refused
 * at once. Reads never wait by themselves.
 *
 * @param connection of Kysely's SQLite dialect, with a `busy_timeout` of 0.
 */
export function waitWhileBusy(connection: Connection): void {
  const execute = connection.executeQuery.bind(connection);
  let busySince = 0;
  let lastBusy = Number.NEGATIVE_INFINITY;
  let refusal: { error: unknown } | undefined;

  async function patiently(query: { readonly sql: string }): Promise<unknown> {
    for (;;) {
      try {
        const answer = await execute(query);
        if (!UNHINDERED.test(query.sql)) lastBusy = Number.NEGATIVE_INFINITY;
        return answer;
      } catch (error) {
        if (!WAITS.has(String(codeOf(error)))) throw error;
        const now = performance.now();
        if (now - lastBusy > PATIENCE_MS) busySince = now;
        lastBusy = now;
        if (now - busySince >= PATIENCE_MS) throw error;
        await sleep(STEP_MS);
      }
    }
  }

  /** Kysely never gives a connection back whose transaction could not begin: that is told by its first statement. */
  async function begin(query: { readonly sql: string }): Promise<unknown> {
    try {
      return await patiently({ ...query, sql: 'begin immediate' });
    } catch (error) {
      const begun = await execute(query);
      refusal = { error };
      return begun;
    }
  }

  /**
   * SQLite may have rolled back by itself, as for a full disk, and says then that there is nothing to roll back. Kysely
   * would keep the connection for ever, and every later query waits for it; who gets here knows why it failed.
   */
  async function rollBack(query: { readonly sql: string }): Promise<unknown> {
    refusal = undefined;
    return execute(query).catch(() => ({ rows: [] }));
  }

  connection.executeQuery = (query) => {
    if (query.sql === 'begin') return begin(query);
    if (query.sql === 'rollback') return rollBack(query);
    return refusal === undefined ? patiently(query) : Promise.reject(refusal.error as Error);
  };
}
