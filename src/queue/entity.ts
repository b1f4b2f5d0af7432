import { defineEntity, p, type InferEntity } from '@mikro-orm/sqlite';
import { baseColumns } from '../db/columns.ts';

/** One thing to do. The row goes when it is done; what was done stands in the domain's own rows. */
export const JobEntity = defineEntity({
  name: 'Job',
  tableName: 'job',
  properties: {
    ...baseColumns,
    kind: p.string(),
    /** Id of the row that the handler works on. */
    refId: p.uuid(),
    /** Who takes turns: the session. */
    groupId: p.string(),
    notBefore: p.datetime(),
    /**
     * The process that holds it; null = waiting. No clock ends this: whoever holds the lock of the data folder knows that
     * every other process has died.
     */
    leaseOwner: p.string().nullable(),
    /** Goes up with each claim; a late writer with an older fence loses. */
    fence: p.integer().default(0),
    /** How often it ended the process that worked on it. After the first time it runs alone. */
    crashes: p.integer().default(0),
  },
  uniques: [{ properties: ['kind', 'refId'] }],
  indexes: [{ properties: ['kind', 'leaseOwner', 'groupId', 'id'] }],
});
export type Job = InferEntity<typeof JobEntity>;
