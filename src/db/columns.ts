import { p } from '@mikro-orm/sqlite';

/** Columns that every entity with an id of its own has. Ids are UUID v7, so they sort by time. */
export const baseColumns = {
  id: p.uuid().primary(),
  createdAt: p.datetime(),
};
