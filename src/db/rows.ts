import type { EntityManager, EntityName } from '@mikro-orm/sqlite';

type Column = { property: string; field: string; convert: ((value: unknown) => unknown) | undefined };

const toDate = (value: unknown): unknown => (value === null ? null : new Date(value as number | string));
const toJson = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);
const toBoolean = (value: unknown): unknown => (value === null ? null : Boolean(value));

const CONVERSIONS: Record<string, (value: unknown) => unknown> = { Date: toDate, boolean: toBoolean };

const columnsOf = new WeakMap<object, { columns: Column[]; table: string }>();

function describe(em: EntityManager, entity: EntityName<object>): { columns: Column[]; table: string } {
  const meta = em.getMetadata().get(entity);
  const known = columnsOf.get(meta);
  if (known !== undefined) return known;
  const columns = meta.props
    .filter((prop) => prop.persist !== false && prop.fieldNames?.length === 1)
    .map((prop) => ({
      property: prop.name as string,
      field: prop.fieldNames[0] as string,
      convert: prop.type === 'json' || prop.columnTypes[0] === 'json' ? toJson : CONVERSIONS[prop.runtimeType],
    }));
  const described = { columns, table: meta.tableName };
  columnsOf.set(meta, described);
  return described;
}

/**
 * Reads rows of an entity without the unit of work, which costs ten times the query itself.
 * `tail` is everything after `from "table" t`; MikroORM writes the parameters for `?` into the text as escaped literals.
 */
export async function selectRows<T extends object>(
  em: EntityManager,
  entity: EntityName<T>,
  tail: string,
  params: readonly unknown[] = [],
): Promise<T[]> {
  const { columns, table } = describe(em, entity as EntityName<object>);
  const list = columns.map((column) => `t.\`${column.field}\``).join(', ');
  const rows = await em.execute<Record<string, unknown>[]>(`select ${list} from \`${table}\` t ${tail}`, [...params]);
  return rows.map((row) => {
    const result: Record<string, unknown> = {};
    for (const { property, field, convert } of columns) {
      const value = row[field];
      result[property] = convert === undefined ? value : convert(value);
    }
    return result as T;
  });
}

/** One row by its primary key, read as `selectRows` reads; undefined when there is none. */
export async function rowById<T extends { id: string }>(
  em: EntityManager,
  entity: EntityName<T>,
  id: string,
): Promise<T | undefined> {
  return (await selectRows(em, entity, 'where t.id = ?', [id]))[0];
}

/** Ids in one statement: far below what SQLite takes in one text. */
const CHUNK = 500;

/** Splits a list of ids that may be longer than one statement takes. */
export function* chunksOf(ids: readonly string[]): Generator<string[]> {
  for (let at = 0; at < ids.length; at += CHUNK) yield ids.slice(at, at + CHUNK);
}
