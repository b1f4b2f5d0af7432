import { access, constants, stat } from 'node:fs/promises';
import { exists, hashStream } from '../../backup/copy.ts';
import type { Contents } from '../../backup/snapshot.ts';
import { BackupError } from '../../backup/format.ts';
import { reasonOf } from '../exit.ts';
import { size } from '../size.ts';
import { ok, problem, warning, type Examined, type Finding } from './finding.ts';

/** The service lets the WAL shrink to 64 MB; more means that a reader has it open for long. */
const LONG_WAL = 256e6;
const OTHERS = 0o077;

async function* examineFiles(contents: Contents, { config, signal }: Examined): AsyncGenerator<Finding> {
  const [{ openStorage }, { createLog }] = await Promise.all([import('../../mechanisms.ts'), import('../../log.ts')]);
  const storage = openStorage(config, createLog('error', process.stderr));
  let seen = 0;
  let bad = 0;
  for (const { key, sha256 } of contents.files()) {
    signal.throwIfAborted();
    seen += 1;
    const file = await storage.open(key);
    const found = file === null ? null : await hashStream(file, signal);
    if (found !== null && (sha256 === null || sha256 === found)) continue;
    bad += 1;
    yield problem(`${key} is ${found === null ? 'missing' : 'not as it was stored'}`, 'take it from a backup');
  }
  if (bad === 0) yield ok(`all ${seen} files are there and as they were stored`);
}

async function* examineDatabase(examined: Examined): AsyncGenerator<Finding> {
  const { config, deep } = examined;
  const path = config.databasePath;
  if (!(await exists(path))) {
    yield ok(`no database yet; the first start makes ${path}`);
    return;
  }
  const [{ readContents }, { MIGRATIONS }] = await Promise.all([
    import('../../backup/snapshot.ts'),
    import('../../db/migrations/index.ts'),
  ]);
  try {
    using contents = readContents(path, { check: deep });
    const known = MIGRATIONS.map(({ name }) => name);
    const { migrations, photos, restorations } = contents;
    const newer = migrations.filter((name) => !known.includes(name));
    const pending = known.filter((name) => !migrations.includes(name));
    yield ok(`${path}: ${photos} photos, ${restorations} restorations${deep ? ', no damage' : ''}`);
    if (newer.length > 0) yield problem(`${path} is of a newer Heirloom (${newer.join(', ')})`, 'update this one');
    else if (pending.length > 0)
      yield warning(`${path} is of an older version`, 'the next start or `migrate` updates it');
    if (deep) yield* examineFiles(contents, examined);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    yield problem(
      error.message.replace(/\.$/, ''),
      'stop the service and put the last backup back with `restore-backup`',
    );
  }
  const wal = (await stat(`${path}-wal`).catch(() => null))?.size ?? 0;
  if (wal > LONG_WAL) yield warning(`${path}-wal has ${size(wal)}`, 'end whatever keeps the database open for reading');
}

export async function* examineData(examined: Examined): AsyncGenerator<Finding> {
  const { dataDir, storagePath } = examined.config;
  for (const folder of new Set([dataDir, storagePath])) {
    if (!(await exists(folder))) {
      yield ok(`${folder} is not there yet; the first start makes it`);
      continue;
    }
    try {
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      yield problem(`${folder} cannot be used: ${reasonOf(error)}`, 'change its owner or its rights');
      continue;
    }
    const { mode } = await stat(folder);
    yield folder === dataDir && (mode & OTHERS) !== 0
      ? warning(`${folder} can be read by other users of this machine`, `chmod 700 ${folder}`)
      : ok(`${folder} can be written to`);
  }
  yield* examineDatabase(examined);
}
