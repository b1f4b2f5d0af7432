import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import type { Storage } from '../storage/storage.ts';
import { copyHashed, exists, hashOf } from './copy.ts';
import { checkRoom } from './folder.ts';
import { BackupError, FORMAT, PARTS, readSumLine, type Manifest } from './format.ts';
import type { Copied } from './back-up.ts';
import { readContents } from './snapshot.ts';

/** What stood in the way of single files; everything else is back. */
export interface PutBack extends Copied {
  readonly manifest: Manifest;
  /** Keys whose file is not in the backup, or not as it was written there; left out. */
  readonly damaged: readonly string[];
}

async function readManifest(source: string): Promise<Manifest> {
  const path = join(source, PARTS.manifest);
  let manifest: Partial<Manifest>;
  try {
    manifest = JSON.parse(await readFile(path, 'utf8')) as Partial<Manifest>;
  } catch (error) {
    throw new BackupError(`${source} is no backup of Heirloom: ${PARTS.manifest} is missing or damaged.`, error);
  }
  if (manifest.format === FORMAT) return manifest as Manifest;
  throw new BackupError(`${source} was made by a newer Heirloom (${manifest.heirloom ?? 'unknown version'}).`);
}

/** A file that has gone, or that its disk cannot read. */
function isUnreadable(error: unknown, path: string): boolean {
  const { code, path: at, syscall } = error as NodeJS.ErrnoException;
  return (code === 'ENOENT' && at === path) || (code === 'EIO' && syscall === 'read');
}

/**
 * Puts a backup into an empty data folder, which the caller holds the lock of: files, then the secret, and the database
 * last, so that what was cut short is no data folder yet and can be begun again.
 *
 * @param deps.migrations names this version knows.
 * @param deps.scratchDir for files on their way, on the disk of the storage.
 * @throws BackupError when there is a database already, or the backup's is damaged or of a newer version; the reason of
 *   the signal; an error of the file system.
 */
export async function putBack(
  deps: {
    storage: Storage;
    databasePath: string;
    secretPath: string;
    scratchDir: string;
    migrations: readonly string[];
  },
  input: { source: string; signal: AbortSignal; onProgress(copied: Copied): void },
): Promise<PutBack> {
  const { storage, databasePath, secretPath, scratchDir } = deps;
  const { source, signal } = input;
  const copied: Copied = { files: 0, bytes: 0 };
  const damaged: string[] = [];
  const sums = new Map<string, string>();

  async function checkDatabase(manifest: Manifest): Promise<void> {
    const path = join(source, PARTS.database);
    using contents = readContents(path, { check: true });
    const unknown = contents.migrations.filter((name) => !deps.migrations.includes(name));
    if (unknown.length > 0) {
      throw new BackupError(`${source} was made by a newer Heirloom (${manifest.heirloom}): update this one first.`);
    }
    await mkdir(scratchDir, { recursive: true });
    await checkRoom(scratchDir, manifest.bytes);
  }

  /** @returns false when the backup has it no more as it was. */
  async function putFile(key: string, sha256: string): Promise<boolean> {
    const from = join(source, key);
    const scratch = join(scratchDir, randomUUID());
    try {
      const written = await copyHashed(createReadStream(from), scratch, signal);
      if (written.sha256 !== sha256) return false;
      await storage.put(key, scratch);
      copied.files += 1;
      copied.bytes += written.bytes;
      input.onProgress(copied);
      return true;
    } catch (error) {
      if (isUnreadable(error, from)) return false;
      throw error;
    } finally {
      await rm(scratch, { force: true });
    }
  }

  async function putFiles(manifest: Manifest): Promise<void> {
    await using file = await open(join(source, PARTS.sums));
    for await (const line of file.readLines()) {
      signal.throwIfAborted();
      const sum = readSumLine(line);
      if (sum === null) throw new BackupError(`${PARTS.sums} of ${source} is damaged.`);
      // The parts that are no stored files stand at the top of the folder.
      if (!sum.name.includes('/')) sums.set(sum.name, sum.sha256);
      else if (!(await putFile(sum.name, sum.sha256))) damaged.push(sum.name);
    }
    const listed = copied.files + damaged.length;
    if (listed === manifest.files) return;
    throw new BackupError(`${PARTS.sums} of ${source} is damaged: it names ${listed} of ${manifest.files} files.`);
  }

  async function putPart(name: string, to: string): Promise<void> {
    const from = join(source, name);
    if ((await hashOf(from, signal)) !== sums.get(name)) throw new BackupError(`${from} is damaged.`);
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    const fresh = `${to}.new`;
    await copyFile(from, fresh);
    await using file = await open(fresh, 'r+');
    await file.chmod(0o600);
    await file.sync();
    await rename(fresh, to);
  }

  if (await exists(databasePath)) {
    throw new BackupError(`${databasePath} is there already: move the data away, or name another DATA_DIR.`);
  }
  const manifest = await readManifest(source);
  await checkDatabase(manifest);
  await putFiles(manifest);
  if (await exists(join(source, PARTS.secret))) await putPart(PARTS.secret, secretPath);
  // What an older database has left beside it would be taken for its own.
  for (const rest of ['-wal', '-shm']) await rm(`${databasePath}${rest}`, { force: true });
  await putPart(PARTS.database, databasePath);
  return { manifest, damaged, ...copied };
}
