import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import Database from 'better-sqlite3';

export interface BooksOptions {
  /** A service that still works has jobs, and restorations that have not ended; default false: all has ended. */
  working?: boolean;
  /** Temporary files that are younger may be there, in ms; default 0: none may. */
  graceMs?: number;
}

/** Rows of a service's database, read beside it or after its end. */
export function rowsOf<T = any>(dataDir: string, query: string, ...params: unknown[]): T[] {
  const database = new Database(join(dataDir, 'heirloom.sqlite'), { timeout: 5000 });
  try {
    return database.prepare(query).all(...params) as T[];
  } finally {
    database.close();
  }
}

async function filesBelow(dataDir: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(dataDir, folder), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dataDir, join(entry.parentPath, entry.name)));
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Each query answers the rows that contradict one sentence about the database alone. */
const ALWAYS: Record<string, string> = {
  'a foreign key leads nowhere': 'select "table", rowid, parent from pragma_foreign_key_check',
  'a restoration that has not ended has no job': `select id, status from restoration r where status in ('QUEUED', 'RUNNING')
    and not exists (select 1 from job j where j.kind = 'restoration' and j.ref_id = r.id)`,
  'a restoration that has ended has a job': `select r.id, r.status from restoration r join job j
    on j.kind = 'restoration' and j.ref_id = r.id where r.status in ('SUCCEEDED', 'FAILED', 'CANCELLED') and j.lease_owner is null`,
  'a success has no single SUCCEEDED event, or something else has one': `select id, status, ends from (select r.id, r.status,
    (select count(*) from event e where e.restoration_id = r.id and e.status = 'SUCCEEDED') as ends from restoration r)
    where ends <> (status = 'SUCCEEDED')`,
  'the log and the row of a restoration disagree': `select r.id, r.status, e.status as logged, r.last_event from restoration r
    left join event e on e.seq = (select max(seq) from event where restoration_id = r.id)
    where e.status is not r.status or e.seq is not r.last_event`,
  'tries and runs do not match': `select id, attempts, runs, last from (select r.id, r.attempts,
    (select count(*) from run where restoration_id = r.id) as runs,
    (select coalesce(max(number), 0) from run where restoration_id = r.id) as last from restoration r)
    where runs <> attempts or last <> attempts`,
  'a run is open though its restoration does not run': `select r.id, r.status, run.number from run
    join restoration r on r.id = run.restoration_id where run.finished_at is null
    and not (r.status = 'RUNNING' and run.number = r.attempts)`,
  'a success has no result, or something else has one': `select id, status, storage_key from restoration
    where (storage_key is not null) <> (status = 'SUCCEEDED')`,
  'a failure has no code, or something else has one': `select id, status, error_code from restoration
    where (error_code is not null) <> (status = 'FAILED')`,
  'an end has no time, or something else has one': `select id, status, finished_at from restoration
    where (finished_at is not null) <> (status in ('SUCCEEDED', 'FAILED', 'CANCELLED'))`,
  'a rendition belongs to nothing': `select id, owner_id, storage_key from rendition
    where owner_id not in (select id from photo) and owner_id not in (select id from restoration)`,
  'a file has two rows': `select key, count(*) from (select storage_key as key from photo union all
    select storage_key from restoration union all select storage_key from mask union all select storage_key from rendition)
    where key is not null group by key having count(*) > 1`,
  'a job is about nothing': `select kind, ref_id from job where ref_id not in (select id from photo)
    and ref_id not in (select id from restoration)`,
  'the log tells of a photo or restoration that is gone': `select seq, kind, photo_id, restoration_id from event
    where (kind in ('PHOTO_UPLOADED', 'PHOTO_READY', 'PHOTO_CHANGED') and photo_id not in (select id from photo))
    or (kind = 'RESTORATION_CHANGED' and restoration_id not in (select id from restoration))`,
};

const WHEN_DONE: Record<string, string> = {
  'a job is left': 'select kind, ref_id, lease_owner, crashes from job',
  'a restoration has not ended': "select id, status from restoration where status in ('QUEUED', 'RUNNING')",
};

async function wrongFiles(dataDir: string): Promise<string[]> {
  const wrong: string[] = [];
  const rows = rowsOf<{ what: string; key: string; bytes: number; sha256: string | null }>(
    dataDir,
    `select 'photo' as what, storage_key as key, bytes, sha256 from photo
      union all select 'restoration', storage_key, bytes, sha256 from restoration where storage_key is not null
      union all select 'mask', storage_key, bytes, sha256 from mask
      union all select 'rendition', storage_key, bytes, null from rendition`,
  );
  const named = new Set(rows.map(({ key }) => key));
  for (const folder of ['uploads', 'processed', '.incoming']) {
    for (const file of await filesBelow(dataDir, folder)) if (!named.has(file)) wrong.push(`no row names ${file}`);
  }
  for (const { what, key, bytes, sha256 } of rows) {
    const path = join(dataDir, key);
    const found = await stat(path).catch(() => null);
    if (found === null) wrong.push(`a ${what} has no file: ${key}`);
    else if (found.size !== bytes) wrong.push(`a ${what} has ${found.size} of ${bytes} bytes: ${key}`);
    else if (sha256 !== null && (await sha256Of(path)) !== sha256) wrong.push(`a ${what} has other bytes: ${key}`);
  }
  return wrong;
}

/**
 * Balances the books of a data folder: rows against files, bytes and hashes, against the log, the jobs and the runs; what
 * lies in the temporary folder; SQLite's own checks. Beside a service it has to be asked when that is at rest.
 *
 * @returns a sentence for each thing that is wrong; empty = all is well.
 */
export async function wrongInBooks(dataDir: string, options: BooksOptions = {}): Promise<string[]> {
  const { working = false, graceMs = 0 } = options;
  const wrong: string[] = [];
  const [{ integrity_check: integrity }] = rowsOf(dataDir, 'pragma integrity_check') as [{ integrity_check: string }];
  if (integrity !== 'ok') wrong.push(`SQLite says: ${integrity}`);
  for (const [sentence, query] of Object.entries(working ? ALWAYS : { ...ALWAYS, ...WHEN_DONE })) {
    for (const row of rowsOf(dataDir, query)) wrong.push(`${sentence}: ${JSON.stringify(row)}`);
  }
  wrong.push(...(await wrongFiles(dataDir)));
  for (const file of await filesBelow(dataDir, 'tmp')) {
    const age = await stat(join(dataDir, file)).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => -1,
    );
    if (age >= graceMs) wrong.push(`a temporary file of ${Math.round(age)} ms: ${file}`);
  }
  return wrong;
}

/** Polls until the books are balanced; fails after `ms` with what is still wrong. */
export async function balanced(dataDir: string, options: BooksOptions & { ms?: number } = {}): Promise<void> {
  const deadline = Date.now() + (options.ms ?? 15_000);
  for (;;) {
    const wrong = await wrongInBooks(dataDir, options);
    if (wrong.length === 0) return;
    if (Date.now() > deadline) throw new Error(`the books are not balanced:\n${wrong.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
