import type { UserActor } from '../db/context.ts';
import { firstIdAt } from '../db/ids.ts';
import type { Condition } from '../db/keyset.ts';

export interface PhotoFilter {
  /** ACCOUNT = everything of the user; SESSION = what came in by this session. */
  scope?: 'ACCOUNT' | 'SESSION' | null | undefined;
  /** From this moment on. */
  from?: Date | null | undefined;
  /** Before this moment. */
  to?: Date | null | undefined;
  /** Part of the file name, whatever its case. */
  search?: string | null | undefined;
}

/** `%`, `_` and the escape itself lose their meaning. */
function likePattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

/** A part of the file name, in the column that holds it. */
export function searchCondition(column: string, search: string): Condition {
  return { sql: `${column} like ? escape '\\'`, params: [likePattern(search.slice(0, 200))] };
}

/** The conditions of a list of one's own things, leading column first so that an index serves them. */
export function ownConditions(actor: UserActor, filter: Pick<PhotoFilter, 'scope' | 'from' | 'to'>): Condition[] {
  const bySession = filter.scope === 'SESSION';
  return [
    { sql: bySession ? 't.session_id = ?' : 't.user_id = ?', params: [bySession ? actor.sessionId : actor.userId] },
    ...(filter.from == null ? [] : [{ sql: 't.id >= ?', params: [firstIdAt(filter.from)] }]),
    ...(filter.to == null ? [] : [{ sql: 't.id < ?', params: [firstIdAt(filter.to)] }]),
  ];
}

export function photoConditions(actor: UserActor, filter: PhotoFilter): Condition[] {
  const search = filter.search?.trim();
  return [...ownConditions(actor, filter), ...(search ? [searchCondition('t.original_filename', search)] : [])];
}
