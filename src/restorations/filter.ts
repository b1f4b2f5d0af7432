import type { UserActor } from '../db/context.ts';
import type { Condition } from '../db/keyset.ts';
import type { RestorationStatus } from '../events/entity.ts';
import { ownConditions, searchCondition, type PhotoFilter } from '../photos/filter.ts';

export interface HistoryFilter extends PhotoFilter {
  status?: readonly RestorationStatus[] | null | undefined;
  modelId?: string | null | undefined;
}

/** Needed only where the file name is searched. */
export const HISTORY_JOIN = 'join `photo` p on p.id = t.photo_id';

export function historyConditions(actor: UserActor, filter: HistoryFilter): Condition[] {
  const where = ownConditions(actor, filter);
  const statuses = filter.status ?? [];
  if (statuses.length > 0)
    where.push({ sql: `t.status in (${statuses.map(() => '?').join(', ')})`, params: [...statuses] });
  if (filter.modelId != null) where.push({ sql: 't.model_id = ?', params: [filter.modelId] });
  const search = filter.search?.trim();
  if (search) where.push(searchCondition('p.original_filename', search));
  return where;
}
