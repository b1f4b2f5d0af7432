import { existsSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';
import { ok, problem, warning, type Examined, type Finding } from './finding.ts';

/** No clock that is right can show less: this version is younger. */
const WRITTEN = Date.parse('2026-01-01');
const TOLERANCE_MS = 5000;
const SYNCHRONISE = 'let the machine set its clock by NTP';

/** How far the clock of the disk is ahead of this machine's, in ms; a disk in the network has its own. */
async function diskAhead(folder: string): Promise<number> {
  const path = join(folder, `.clock-${randomUUID()}`);
  const file = await open(path, 'wx');
  try {
    await file.write('.');
    const before = Date.now();
    return (await stat(path)).mtimeMs - before;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** When the newest thing in the database was made, in ms since 1970; null where it cannot be read, as another part tells. */
function newest(path: string): number | null {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    return database
      .prepare('select max(at) from (select max(created_at) as at from photo union all select max(at) from event)')
      .pluck()
      .get() as number | null;
  } catch (error) {
    if (error instanceof Database.SqliteError) return null;
    throw error;
  } finally {
    database.close();
  }
}

export async function* examineClock({ config }: Examined): AsyncGenerator<Finding> {
  const now = Date.now();
  const shown = `it is ${new Date(now).toISOString()}`;
  yield now > WRITTEN ? ok(shown) : problem(`${shown}, says this machine`, SYNCHRONISE);

  const ahead = existsSync(config.storagePath) ? await diskAhead(config.storagePath) : 0;
  if (Math.abs(ahead) > TOLERANCE_MS) {
    const seconds = Math.round(Math.abs(ahead) / 1000);
    yield warning(
      `the disk's clock is ${seconds} s ${ahead > 0 ? 'ahead' : 'behind'}`,
      `${SYNCHRONISE}, and the disk's`,
    );
  }
  const latest = existsSync(config.databasePath) ? newest(config.databasePath) : null;
  if (latest !== null && latest > now + TOLERANCE_MS) {
    yield warning(`the newest photo is of ${new Date(latest).toISOString()}, which is to come`, SYNCHRONISE);
  }
}
