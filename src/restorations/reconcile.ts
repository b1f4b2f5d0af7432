import type { EntityManager } from '@mikro-orm/sqlite';
import { selectRows } from '../db/rows.ts';
import type { Log } from '../log.ts';
import type { Queue } from '../queue/queue.ts';
import { RestorationEntity } from './entity.ts';

/**
 * Gives every restoration that has not ended its job back where it has none. Both are written in one transaction, so this
 * finds something only after a fault; without it such a restoration would wait for ever. Before the queue starts.
 *
 * @returns how many.
 */
export async function reconcile(deps: { fork: () => EntityManager; queue: Queue; log: Log }): Promise<number> {
  const { queue, log } = deps;
  const em = deps.fork();
  const lost = await selectRows(
    em,
    RestorationEntity,
    `where t.status in ('QUEUED', 'RUNNING') and not exists (
       select 1 from job j where j.kind = 'restoration' and j.ref_id = t.id)`,
  );
  for (const { id, userId, sessionId, status } of lost) {
    // One that is RUNNING is released by the runner when it is claimed.
    await queue.add(em, { kind: 'restoration', refId: id, groupId: sessionId ?? userId });
    log.warn({ restorationId: id, status }, 'queued a restoration again that had lost its job');
  }
  return lost.length;
}
