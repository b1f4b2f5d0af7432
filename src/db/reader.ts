import type { EntityManager } from '@mikro-orm/sqlite';
import Database, { type Statement } from 'better-sqlite3';
import { codeOf } from '../errors.ts';

/** Lists of ids make many texts of one query; those used last are kept. */
const STATEMENTS_KEPT = 200;

const prepared = new WeakMap<Database.Database, Map<string, Statement>>();

function statementOf(database: Database.Database, sql: string): Statement {
  const statements = prepared.get(database) ?? new Map<string, Statement>();
  prepared.set(database, statements);
  const statement = statements.get(sql) ?? database.prepare(sql);
  // A Map keeps the order of insertion, so what is put back last goes last.
  statements.delete(sql);
  statements.set(sql, statement);
  if (statements.size > STATEMENTS_KEPT) statements.delete(statements.keys().next().value!);
  return statement;
}

/** The connection of each ORM, by its configuration; opened by the first read. */
const readers = new WeakMap<object, Database.Database>();
/** Those whose connection is to stay closed for a moment. */
const aside = new WeakSet<object>();

function readerOf({ config }: EntityManager): Database.Database {
  const known = readers.get(config);
  if (known !== undefined) return known;
  const reader = new Database(config.get('dbName')!, { readonly: true, timeout: 0 });
  readers.set(config, reader);
  return reader;
}

export function closeReader({ config }: EntityManager): void {
  readers.get(config)?.close();
  readers.delete(config);
}

/** Does what SQLite allows only to the last connection; meanwhile reads go where the writes go. */
export async function withoutReader<T>(em: EntityManager, work: () => Promise<T>): Promise<T> {
  aside.add(em.config);
  closeReader(em);
  try {
    return await work();
  } finally {
    aside.delete(em.config);
  }
}

/**
 * Runs a query with its parameters bound to a statement that is kept prepared; MikroORM would write them into the text
 * and prepare it each time, which costs more than a page of rows. Inside a transaction it runs on the connection of
 * that transaction and sees what was written there. Outside it has a connection of its own: it sees what is committed
 * and waits for nobody.
 *
 * @param params strings, numbers and null.
 */
export async function readAll<T>(em: EntityManager, sql: string, params: readonly unknown[] = []): Promise<T[]> {
  if (em.isInTransaction() || aside.has(em.config)) return em.execute<T[]>(sql, [...params]);
  const logger = em.config.getLogger();
  if (logger.isEnabled('query')) logger.logQuery({ query: sql, params, level: 'info' });
  try {
    return statementOf(readerOf(em), sql).all(...params) as T[];
  } catch (error) {
    // Another process has the whole file to itself; the writing connection waits for such, see `patience.ts`.
    if (!String(codeOf(error)).startsWith('SQLITE_BUSY')) throw error;
    return em.execute<T[]>(sql, [...params]);
  }
}
