import type { EntityManager } from '@mikro-orm/sqlite';
import { newId } from '../db/ids.ts';
import { readAll } from '../db/reader.ts';
import type { NewJob } from './queue.ts';

/** What a claim needs to know of its row. */
export interface JobRow {
  readonly id: string;
  readonly kind: string;
  readonly refId: string;
  readonly groupId: string;
  readonly fence: number;
  readonly crashes: number;
}

/** A claim's own mark on its row. */
export type Held = Pick<JobRow, 'id' | 'fence'>;

export interface RemovedRow {
  readonly id: string;
  /** Null = it waited. */
  readonly leaseOwner: string | null;
}

export type GroupOfKind = Pick<JobRow, 'kind' | 'groupId'>;

/** Waiting jobs of a group: when the first of them may start (ms since the epoch). */
interface WaitingGroup {
  readonly groupId: string;
  readonly nextAt: number;
}

const ROW = 'id, kind, ref_id as refId, group_id as groupId, fence, crashes';
const marks = (list: readonly unknown[]): string => list.map(() => '?').join(', ');

/**
 * A job that waits is kept. One that is running is taken out of its claim's hands, so that it waits again and is not
 * deleted when that claim ends: what was added after the claim began must not be lost.
 */
const ADD = `insert into job (id, created_at, kind, ref_id, group_id, not_before, fence, crashes) values (?, ?, ?, ?, ?, ?, 0, 0)
  on conflict (kind, ref_id) do update set created_at = excluded.created_at, not_before = excluded.not_before,
    lease_owner = null where lease_owner is not null`;

/** The oldest of a group that may start. Walks the index (kind, lease_owner, group_id, id) in order. */
export const NEXT_OF_GROUP = `select id from job
  where kind = ? and lease_owner is null and group_id = ? and not_before <= ? and crashes = 0`;

/** The statements of the local queue. Each is short: they share one connection with everything else. */
export function createJobRows(em: EntityManager, owner: string) {
  async function changed(sql: string, params: unknown[]): Promise<number> {
    const { affectedRows } = await em.execute<{ affectedRows: number; insertId: number; rows: never[] }>(
      sql,
      params,
      'run',
    );
    return affectedRows;
  }

  async function claimWhere(select: string, params: unknown[]): Promise<JobRow | null> {
    const rows = await em.execute<JobRow[]>(
      `update job set lease_owner = ?, fence = fence + 1 where id = (${select}) returning ${ROW}`,
      [owner, ...params],
    );
    return rows[0] ?? null;
  }

  return {
    /** In the caller's transaction. */
    async add(caller: EntityManager, job: NewJob, now: number): Promise<void> {
      // "At once" must stay so when the wall clock is set back.
      const notBefore = job.notBefore?.getTime() ?? 0;
      await caller.execute(ADD, [newId(), now, job.kind, job.refId, job.groupId, notBefore], 'run');
    },

    /**
     * The oldest job of a group that may start, without those that have to run alone. `busy` are the refIds that are
     * being worked on: one that was added again waits until its first run has ended.
     */
    claim(turn: GroupOfKind, busy: readonly string[], now: number): Promise<JobRow | null> {
      const sql = `${NEXT_OF_GROUP} and ref_id not in (${marks(busy)}) order by id limit 1`;
      return claimWhere(sql, [turn.kind, turn.groupId, now, ...busy]);
    },

    claimOne(id: string): Promise<JobRow | null> {
      return claimWhere('select id from job where id = ? and lease_owner is null', [id]);
    },

    /** When the first waiting job of a group may start; null when none waits. */
    async nextAt(turn: GroupOfKind, busy: readonly string[]): Promise<number | null> {
      const [row] = await em.execute<{ at: number | null }[]>(
        `select min(not_before) as at from job
          where kind = ? and lease_owner is null and group_id = ? and crashes = 0 and ref_id not in (${marks(busy)})`,
        [turn.kind, turn.groupId, ...busy],
      );
      return row?.at ?? null;
    },

    /** Every group with jobs of a kind that wait, the one with the oldest job first. */
    groups(kind: string): Promise<WaitingGroup[]> {
      return em.execute<WaitingGroup[]>(
        `select group_id as groupId, min(not_before) as nextAt from job
          where kind = ? and lease_owner is null and crashes = 0 group by group_id order by min(id)`,
        [kind],
      );
    },

    /** Waiting jobs that have ended a process, oldest first. */
    crashed(): Promise<{ id: string; kind: string; at: number }[]> {
      return em.execute(
        'select id, kind, not_before as at from job where lease_owner is null and crashes > 0 order by id',
      );
    },

    /** Jobs in the hands of another process. */
    orphans(): Promise<JobRow[]> {
      return em.execute<JobRow[]>(
        `select ${ROW} from job where lease_owner is not null and lease_owner <> ? order by id`,
        [owner],
      );
    },

    async reclaim(id: string): Promise<void> {
      await changed('update job set crashes = crashes + 1, lease_owner = null where id = ?', [id]);
    },

    async remove(id: string): Promise<void> {
      await changed('delete from job where id = ?', [id]);
    },

    /** In the caller's transaction; resolves to those that were there. */
    async removeRefs(caller: EntityManager, kind: string, refIds: readonly string[]): Promise<RemovedRow[]> {
      if (refIds.length === 0) return [];
      const sql = `delete from job where kind = ? and ref_id in (${marks(refIds)}) returning id, lease_owner as leaseOwner`;
      return caller.execute<RemovedRow[]>(sql, [kind, ...refIds]);
    },

    /** False for a late writer: the job is no longer this claim's. */
    async finish(held: Held): Promise<boolean> {
      const sql = 'delete from job where id = ? and fence = ? and lease_owner = ?';
      return (await changed(sql, [held.id, held.fence, owner])) > 0;
    },

    /** Lets it wait again, until `notBefore` if given. False for a late writer. */
    async putBack(held: Held, notBefore?: number): Promise<boolean> {
      const set = notBefore === undefined ? '' : ', not_before = ?';
      const sql = `update job set lease_owner = null${set} where id = ? and fence = ? and lease_owner = ?`;
      const params = [...(notBefore === undefined ? [] : [notBefore]), held.id, held.fence, owner];
      return (await changed(sql, params)) > 0;
    },

    /** Those of `held` that are lost: gone, or with another owner or fence. */
    async lost(held: readonly Held[]): Promise<string[]> {
      const ids = held.map((job) => job.id);
      const rows = await em.execute<{ id: string; fence: number; leaseOwner: string | null }[]>(
        `select id, fence, lease_owner as leaseOwner from job where id in (${marks(ids)})`,
        ids,
      );
      const found = new Map(rows.map((row) => [row.id, row]));
      return held
        .filter((job) => {
          const row = found.get(job.id);
          // Without an owner but with our fence it was added again: the claim may end its work.
          return row?.fence !== job.fence || (row.leaseOwner !== null && row.leaseOwner !== owner);
        })
        .map((job) => job.id);
    },

    /** How many wait, and since when (ms since the epoch) the first of those that may start could have. */
    async waiting(kind: string | undefined, now: number): Promise<{ count: number; since: number | null }> {
      const [row] = await readAll<{ count: number; since: number | null }>(
        em,
        `select count(*) as count, min(case when not_before <= ? then max(created_at, not_before) end) as since
          from job where lease_owner is null${kind === undefined ? '' : ' and kind = ?'}`,
        [now, ...(kind === undefined ? [] : [kind])],
      );
      return row ?? { count: 0, since: null };
    },

    /** True when a job outside the groups that are `full` may start and could have since before `since`. */
    async ripe(kind: string, full: readonly string[], since: number): Promise<boolean> {
      const rows = await readAll(
        em,
        `select 1 from job where lease_owner is null and kind = ? and not_before <= ? and created_at <= ?
          and group_id not in (${marks(full)}) limit 1`,
        [kind, since, since, ...full],
      );
      return rows.length > 0;
    },
  };
}

export type JobRows = ReturnType<typeof createJobRows>;
