import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EntityManager } from '@mikro-orm/sqlite';
import type { Queue, QueueStats } from '../queue/queue.ts';

export interface Health {
  ok: boolean;
  /** Every part that has to work, by name. */
  checks: { database: boolean; storage: boolean; queue: boolean };
  queue: QueueStats;
}

const NO_STATS: QueueStats = { waiting: 0, running: 0, oldestSeconds: 0, moving: false };

/** How long an answer holds: nobody needs to sign in to ask, and each look writes a file. */
const KEPT_MS = 1000;

/** Whether the service can take work: asked by load balancers, so it has to be quick and must not throw. */
export function createHealth(deps: {
  fork: () => EntityManager;
  queue: Queue;
  scratchDir: string;
  version: string;
  now: () => number;
}) {
  const startedAt = new Date(deps.now());
  let latest: { at: number; health: Promise<Health> } | undefined;
  const passes = (check: Promise<unknown>): Promise<boolean> =>
    check.then(
      () => true,
      () => false,
    );

  async function touch(): Promise<void> {
    const path = join(deps.scratchDir, `health-${randomUUID()}`);
    await writeFile(path, 'ok');
    await rm(path);
  }

  async function look(): Promise<Health> {
    const [database, storage, queue] = await Promise.all([
      passes(deps.fork().execute('select 1')),
      passes(touch()),
      deps.queue.stats().catch(() => NO_STATS),
    ]);
    const checks = { database, storage, queue: queue.moving };
    return { ok: Object.values(checks).every(Boolean), checks, queue };
  }

  return {
    startedAt,
    version: deps.version,

    /** The process answers; nothing else is asked. */
    live: (): boolean => true,

    /** As of at most a second ago: whoever asks, and how often, costs one look a second. */
    ready(): Promise<Health> {
      const at = performance.now();
      if (latest === undefined || at - latest.at >= KEPT_MS) latest = { at, health: look() };
      return latest.health;
    },
  };
}

export type HealthService = ReturnType<typeof createHealth>;
