import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { createLog } from '../log.ts';
import type { PreviewKind } from '../ops/preview.ts';
import { size } from './size.ts';
import { holderOf } from './data-folder.ts';
import { CliError } from './exit.ts';
import type { Terminal } from './terminal.ts';

const LABELS: Record<PreviewKind, string> = {
  guests: 'guests would be removed with all their photos',
  guestFiles: 'files of theirs',
  sessions: 'idle sessions of accounts would end',
  temporaryFiles: 'old temporary files would be removed',
  orphanFiles: 'files that no photo or result names would be removed',
  foreignFiles: 'files that are not of Heirloom would be left alone',
  missingFiles: 'photos, results or sizes have lost their file',
  idempotencyKeys: 'old idempotency keys would be removed',
};

/** Names that stand for the rest. */
const SHOWN = 3;

interface Sum {
  count: number;
  bytes: number;
  names: string[];
}

/**
 * Shows what a clean-up would do, also beside a service, and changes nothing.
 *
 * @param options.list name everything, one a line, in place of the first few of each kind.
 * @throws CliError when there is no database, or not one of this version.
 */
export async function showPreview(
  config: Config,
  terminal: Terminal,
  options: { list: boolean; signal: AbortSignal },
): Promise<void> {
  const { databasePath, storagePath } = config;
  if (!existsSync(databasePath)) throw new CliError(`There is no database at ${databasePath}: nothing to clean up.`);
  const [{ ENTITIES }, { openDatabase }, { openStorage }, { preview }, { createSweep }, { createMissing }, clocks] =
    await Promise.all([
      import('../entities.ts'),
      import('../db/orm.ts'),
      import('../mechanisms.ts'),
      import('../ops/preview.ts'),
      import('../ops/sweep.ts'),
      import('../ops/missing.ts'),
      import('../ops/slow-clock.ts'),
    ]);
  const log = createLog('error', process.stderr);
  await using stack = new AsyncDisposableStack();
  const alone = (await holderOf(config.dataDir)).kind === 'nobody';
  const database = stack.adopt(await openDatabase({ path: databasePath, entities: ENTITIES }), (open) => open.close());
  if (!(await database.isCurrent())) {
    throw new CliError(`${databasePath} is of an older version: run heirloom migrate first.`);
  }
  const { fork } = database;
  const storage = openStorage(config, log);
  const scratchDir = join(storagePath, 'tmp');
  const started = clocks.createSlowClock({ now: Date.now });
  // Beside a service only what is past its grace period can be told from what that works on.
  const clock = alone ? started : { ...started, startedAt: 0 };
  const sweep = createSweep({
    storage,
    fork,
    log,
    folders: [config.uploadDir, config.processedDir],
    scratchDir,
    leftBehind: new Set(alone ? await readdir(scratchDir).catch(() => []) : []),
    clock,
  });
  const deps = { fork, sweep, missing: createMissing({ storage, fork, log }), clock };
  const sums = new Map<string, Sum>(Object.keys(LABELS).map((kind) => [kind, { count: 0, bytes: 0, names: [] }]));
  const { sessionCleanupHours: idleHours } = config;
  for await (const { kind, name, bytes } of preview({ ...deps, idleHours }, options.signal)) {
    const sum = sums.get(kind) as Sum;
    sum.count += 1;
    sum.bytes += bytes;
    if (options.list) terminal.out(`${kind}\t${name}`);
    else if (sum.names.length < SHOWN) sum.names.push(name);
  }
  for (const [kind, label] of Object.entries(LABELS)) {
    const { count, bytes, names } = sums.get(kind) as Sum;
    const line = `${String(count).padStart(5)} ${label}${bytes > 0 ? `: ${size(bytes)}` : ''}`;
    if (options.list) terminal.note(line);
    else for (const text of [line, ...names.map((name) => `        ${name}`)]) terminal.out(text);
    if (!options.list && count > SHOWN) terminal.out(`        and ${count - SHOWN} more`);
  }
}
