import type { EntityManager, EntityName } from '@mikro-orm/sqlite';
import { AppError } from '../errors.ts';
import { isId } from './ids.ts';
import { readAll } from './reader.ts';
import { selectRows } from './rows.ts';

export const PAGE_DEFAULT = 20;
export const PAGE_MAX = 100;

/** The arguments of a Relay connection. */
export interface PageArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

export interface Page<T> {
  readonly rows: T[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** Runs the count when called. */
  totalCount(): Promise<number>;
}

/** A condition on `t`, with `?` for its parameters. */
export interface Condition {
  sql: string;
  params: unknown[];
}

export function cursorOf(row: { id: string }): string {
  return Buffer.from(row.id).toString('base64url');
}

function idOf(cursor: string, name: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!isId(id)) throw new AppError('BAD_USER_INPUT', `${name} is not a cursor of this list.`, { field: name });
  return id;
}

function sizeOf(args: PageArgs): { size: number; backwards: boolean } {
  const { first, last } = args;
  if (first != null && last != null)
    throw new AppError('BAD_USER_INPUT', 'Give first or last, not both.', { field: 'last' });
  const size = last ?? first ?? PAGE_DEFAULT;
  const field = last != null ? 'last' : 'first';
  if (size < 0 || size > PAGE_MAX) {
    throw new AppError('BAD_USER_INPUT', `${field} must be between 0 and ${PAGE_MAX}.`, { field });
  }
  return { size, backwards: last != null };
}

/**
 * One page of an entity by its id alone: ids are UUID v7, so their order is the order of time and page 50,000 costs what
 * page 1 costs. The conditions must begin with a column that leads an index ending in `id`.
 *
 * @param options.without properties that the rows of the list do without.
 * @param newestFirst the direction of the list; `last`/`before` walk it backwards and return it in list order.
 * @throws AppError BAD_USER_INPUT for sizes out of range, both ends at once, or a cursor that is none.
 */
export async function readPage<T extends { id: string }, Without extends Exclude<keyof T, 'id'> = never>(
  em: EntityManager,
  entity: EntityName<T>,
  options: { args: PageArgs; where: Condition[]; newestFirst: boolean; join?: string; without?: readonly Without[] },
): Promise<Page<Omit<T, Without>>> {
  const { args, newestFirst, join = '', without = [] } = options;
  const { size, backwards } = sizeOf(args);
  const where = [...options.where];
  if (args.after != null) where.push({ sql: `t.id ${newestFirst ? '<' : '>'} ?`, params: [idOf(args.after, 'after')] });
  if (args.before != null)
    where.push({ sql: `t.id ${newestFirst ? '>' : '<'} ?`, params: [idOf(args.before, 'before')] });

  const descending = newestFirst !== backwards;
  const tail = `${join} where ${where.map((condition) => condition.sql).join(' and ')} order by t.id ${descending ? 'desc' : 'asc'} limit ?`;
  const params = [...where.flatMap((condition) => condition.params), size + 1];
  const found = await selectRows(em, entity, tail, params, without);
  const more = found.length > size;
  const rows = found.slice(0, size);
  if (backwards) rows.reverse();
  return {
    rows,
    hasNextPage: backwards ? args.before != null : more,
    hasPreviousPage: backwards ? more : args.after != null,
    totalCount: async () => {
      const table = em.getMetadata().get(entity).tableName;
      const [row] = await readAll<{ n: number }>(
        em,
        `select count(*) as n from \`${table}\` t ${join} where ${options.where.map((condition) => condition.sql).join(' and ')}`,
        options.where.flatMap((condition) => condition.params),
      );
      return row!.n;
    },
  };
}
