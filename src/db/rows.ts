import type { EntityManager, EntityName } from '@mikro-orm/sqlite';
import { readAll } from './reader.ts';

type Convert = (value: unknown) => unknown;
/** How an entity is read: the start of the statement, and the columns that SQLite keeps in another form. */
type Reading = { select: string; conversions: readonly (readonly [property: string, convert: Convert])[] };

const toDate = (value: unknown): unknown => (value === null ? null : new Date(value as number | string));
const toJson = (value: unknown): unknown => (typeof value === 'string' ? JSON.parse(value) : value);
const toBoolean = (value: unknown): unknown => (value === null ? null : Boolean(value));

const CONVERSIONS: Record<string, Convert> = { Date: toDate, boolean: toBoolean };

/** By entity, and by what is left out. */
const readings = new WeakMap<object, Map<string, Reading>>();

function readingOf(em: EntityManager, entity: EntityName<object>, without: readonly string[]): Reading {
  const meta = em.getMetadata().get(entity);
  const ofEntity = readings.get(meta) ?? new Map<string, Reading>();
  readings.set(meta, ofEntity);
  const key = without.join();
  const known = ofEntity.get(key);
  if (known !== undefined) return known;
  const columns = meta.props.filter(
    (prop) => prop.persist !== false && prop.fieldNames?.length === 1 && !without.includes(prop.name),
  );
  const list = columns.map((prop) => `t.\`${prop.fieldNames[0]}\` as \`${prop.name}\``).join(', ');
  const conversions = columns.flatMap((prop) => {
    const isJson = prop.type === 'json' || prop.columnTypes[0] === 'json';
    const convert = isJson ? toJson : CONVERSIONS[prop.runtimeType];
    return convert === undefined ? [] : [[prop.name as string, convert] as const];
  });
  const reading = { select: `select ${list} from \`${meta.tableName}\` t`, conversions };
  ofEntity.set(key, reading);
  return reading;
}

/**
 * Reads rows of an entity without the unit of work, which costs ten times the query itself.
 *
 * @param tail everything after `from "table" t`, with `?` for the parameters. It should be one of a few texts: the
 *   statement is kept prepared.
 * @param without properties that are not read.
 */
export async function selectRows<T extends object, Without extends keyof T = never>(
  em: EntityManager,
  entity: EntityName<T>,
  tail: string,
  params: readonly unknown[] = [],
  without: readonly Without[] = [],
): Promise<Omit<T, Without>[]> {
  const { select, conversions } = readingOf(em, entity as EntityName<object>, without as readonly string[]);
  const rows = await readAll<Record<string, unknown>>(em, `${select} ${tail}`, params);
  for (const row of rows) {
    for (const [property, convert] of conversions) row[property] = convert(row[property]);
  }
  return rows as Omit<T, Without>[];
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
