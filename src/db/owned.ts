import type { EntityName } from '@mikro-orm/sqlite';
import type { Owned, ServiceContext } from './context.ts';
import { selectRows } from './rows.ts';

/**
 * The actor's own rows, in the order of the ids; null where one is missing or somebody else's. The system owns all,
 * who is not signed in none.
 */
export async function ownRows<T extends { id: string; userId: string }>(
  { em, actor }: ServiceContext,
  entity: EntityName<T>,
  ids: readonly string[],
): Promise<(Owned<T> | null)[]> {
  if (actor.kind === 'anonymous' || ids.length === 0) return ids.map(() => null);
  const rows = await selectRows(em, entity, `where t.id in (${ids.map(() => '?').join(', ')})`, ids);
  const mine = rows.filter((row) => actor.kind === 'system' || row.userId === actor.userId);
  const byId = new Map(mine.map((row) => [row.id, row as Owned<T>]));
  return ids.map((id) => byId.get(id) ?? null);
}
