import { randomUUID } from 'node:crypto';
import { access, constants, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EntityManager } from '@mikro-orm/sqlite';
import { readAll } from '../db/reader.ts';
import { AppError, codeOf, toAppError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Queue, QueueStats } from '../queue/queue.ts';

type Part = 'database' | 'storage' | 'queue';

export interface Health {
  ok: boolean;
  /** Every part that has to work, by name. */
  checks: Record<Part, boolean>;
  /** A sentence for each part that does not. */
  problems: Record<string, string>;
  queue: QueueStats;
}

const NO_STATS: QueueStats = { waiting: 0, running: 0, oldestSeconds: 0, moving: false };

/** How long an answer holds: nobody needs to sign in to ask, and each look writes a file. */
const KEPT_MS = 1000;

/** A photo of ordinary size, its result and the sizes of both, beside a WAL of the 4 MB that SQLite lets it have. */
const LEAST_BYTES = 16e6;
/** As many as two restored photos make, with their sizes and folders. */
const LEAST_FILES = 32;

const GONE = 'It is no longer there.';
const UNKNOWN = 'It does not work; the log of the service says more.';

/** What whoever asks may be told. */
function sentenceOf(error: unknown): string {
  if (codeOf(error) === 'ENOENT') return GONE;
  const { code, message } = toAppError(error);
  return code === 'INTERNAL_SERVER_ERROR' ? UNKNOWN : message;
}

/** @throws AppError STORAGE_FULL before the first upload would find out. */
async function checkRoom(folder: string): Promise<void> {
  const { bavail, bsize, files, ffree } = await statfs(folder);
  if (bavail * bsize < LEAST_BYTES) {
    throw new AppError('STORAGE_FULL', `Less than ${LEAST_BYTES / 1e6} MB of room are left on the disk.`);
  }
  // Some file systems do not count files.
  if (files > 0 && ffree < LEAST_FILES) throw new AppError('STORAGE_FULL', 'The disk takes hardly any more files.');
}

/**
 * Whether the service can take work: asked by load balancers, so it has to be quick and must not throw.
 *
 * @param deps.missingFiles photos and results whose file was not there at the last look.
 */
export function createHealth(deps: {
  fork: () => EntityManager;
  queue: Queue;
  scratchDir: string;
  databasePath: string;
  missingFiles: () => number;
  version: string;
  log: Log;
  now: () => number;
}) {
  const startedAt = new Date(deps.now());
  const broken = new Set<Part>();
  let latest: { at: number; health: Promise<Health> } | undefined;

  /** What is wrong; null = it works. Logged when it begins and when it ends. */
  async function problemOf(part: Part, check: Promise<unknown>): Promise<string | null> {
    try {
      await check;
      if (broken.delete(part)) deps.log.warn({ part }, 'works again');
      return null;
    } catch (err) {
      if (!broken.has(part)) deps.log.error({ err, part }, 'does not work');
      broken.add(part);
      return sentenceOf(err);
    }
  }

  async function touch(): Promise<void> {
    const path = join(deps.scratchDir, `health-${randomUUID()}`);
    try {
      await writeFile(path, 'ok');
    } finally {
      await rm(path, { force: true });
    }
    await checkRoom(deps.scratchDir);
  }

  async function ask(): Promise<void> {
    // Whether it can be written to is asked of the file: a write would wait for whoever else writes.
    await access(deps.databasePath, constants.R_OK | constants.W_OK);
    await readAll(deps.fork(), 'select 1');
    await checkRoom(dirname(deps.databasePath));
  }

  async function look(): Promise<Health> {
    const [database, storage, stats] = await Promise.all([
      problemOf('database', ask()),
      problemOf('storage', touch()),
      deps.queue.stats().catch(() => NO_STATS),
    ]);
    const queue = stats.moving ? null : 'Waiting work is not being taken up.';
    const parts = Object.entries({ database, storage, queue }) as [Part, string | null][];
    const checks = Object.fromEntries(parts.map(([part, problem]) => [part, problem === null]));
    const problems = Object.fromEntries(
      parts.flatMap(([part, problem]) => (problem === null ? [] : [[part, problem]])),
    );
    return {
      ok: parts.every(([, problem]) => problem === null),
      checks: checks as Health['checks'],
      problems,
      queue: stats,
    };
  }

  return {
    startedAt,
    version: deps.version,
    missingFiles: deps.missingFiles,

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
