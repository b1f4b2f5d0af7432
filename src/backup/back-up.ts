import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import PQueue from 'p-queue';
import type { Storage } from '../storage/storage.ts';
import { copyHashed, exists, hashOf } from './copy.ts';
import { checkRoom, makeFolder } from './folder.ts';
import { FORMAT, PARTS, readSumLine, sumLine, type Manifest } from './format.ts';
import { readContents, snapshotDatabase, type NamedFile } from './snapshot.ts';

const COPIES_AT_ONCE = 4;
/** Each pass but the first copies only what came in during the one before: more than a few mean that something is wrong. */
const MOST_PASSES = 5;

export interface Copied {
  files: number;
  bytes: number;
}

/**
 * Makes a backup of a service that may be at work: database and files of one moment, each file that a row names.
 *
 * Files are never altered, only added and deleted. So the rows are copied first and their files after them; a file that
 * was deleted in between is one that the next copy of the rows no longer names.
 *
 * @param input.target a folder that is empty or not there yet; it appears under this name when the backup is whole.
 * @throws BackupError, the reason of the signal, or an error of the file system; nothing is left of the backup then.
 */
export async function backUp(
  deps: { storage: Storage; databasePath: string; secretPath: string; heirloom: string; now: () => number },
  input: { target: string; signal: AbortSignal; onProgress(copied: Copied): void },
): Promise<Manifest> {
  const { storage, databasePath } = deps;
  const { target, signal } = input;
  const partial = `${target}.partial`;
  const database = join(partial, PARTS.database);
  const copied: Copied = { files: 0, bytes: 0 };
  const damaged = new Set<string>();
  const folders = new Set<string>();

  /** @returns whether the storage has it. */
  async function copy({ key, sha256 }: NamedFile, sums: (line: string) => Promise<unknown>): Promise<boolean> {
    const to = join(partial, key);
    if (await exists(to)) return true;
    const from = await storage.open(key);
    if (from === null) return false;
    if (!folders.has(dirname(to))) await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    folders.add(dirname(to));
    const written = await copyHashed(from, to, signal);
    await sums(sumLine(written.sha256, key));
    if (sha256 !== null && sha256 !== written.sha256) damaged.add(key);
    copied.files += 1;
    copied.bytes += written.bytes;
    input.onProgress(copied);
    return true;
  }

  /** Copies what the snapshot names and the backup has not. @returns what the storage has not. */
  async function copyFiles(): Promise<string[]> {
    using contents = readContents(database, { check: false });
    await using sums = await open(join(partial, PARTS.sums), 'a', 0o600);
    const queue = new PQueue({ concurrency: COPIES_AT_ONCE });
    const absent: string[] = [];
    const failures: unknown[] = [];
    for (const file of contents.files()) {
      if (failures.length > 0) break;
      await queue.onSizeLessThan(COPIES_AT_ONCE);
      void queue
        .add(async () => {
          signal.throwIfAborted();
          if (!(await copy(file, (line) => sums.appendFile(line)))) absent.push(file.key);
        })
        .catch((error: unknown) => failures.push(error));
    }
    await queue.onIdle();
    if (failures.length > 0) throw failures[0];
    return absent;
  }

  async function forget(gone: readonly string[]): Promise<void> {
    const forgotten = new Set(gone);
    for (const key of gone) {
      const path = join(partial, key);
      const found = await stat(path).catch(() => null);
      if (found === null) continue;
      await rm(path);
      damaged.delete(key);
      copied.files -= 1;
      copied.bytes -= found.size;
    }
    if (gone.length === 0) return;
    const sums = join(partial, PARTS.sums);
    const lines = (await readFile(sums, 'utf8')).split('\n');
    const kept = lines.filter((line) => !forgotten.has(readSumLine(line)?.name ?? ''));
    await writeFile(sums, kept.join('\n'), { mode: 0o600 });
  }

  /** Rows first, then their files, until all are there or missing for good. @returns those. */
  async function copyConsistently(): Promise<string[]> {
    for (let pass = 1; ; pass++) {
      signal.throwIfAborted();
      const newer = `${database}.new`;
      await snapshotDatabase(databasePath, newer);
      if (pass > 1) {
        using contents = readContents(newer, { check: false });
        await forget(contents.goneSince(database));
      }
      await rename(newer, database);
      const absent = await copyFiles();
      if (absent.length === 0) return [];
      using live = readContents(databasePath, { check: false });
      if (pass === MOST_PASSES || absent.every((key) => live.names(key))) return absent;
    }
  }

  async function describe(missing: readonly string[]): Promise<Manifest> {
    using contents = readContents(database, { check: true });
    const { photos, restorations, migrations } = contents;
    const manifest: Manifest = {
      format: FORMAT,
      heirloom: deps.heirloom,
      createdAt: new Date(deps.now()).toISOString(),
      migrations,
      photos,
      restorations,
      ...copied,
      missing: missing.toSorted(),
      damaged: [...damaged].toSorted(),
    };
    await writeFile(join(partial, PARTS.manifest), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
    return manifest;
  }

  async function addOwnParts(): Promise<void> {
    await using sums = await open(join(partial, PARTS.sums), 'a', 0o600);
    await sums.appendFile(sumLine(await hashOf(database, signal), PARTS.database));
    if (await exists(deps.secretPath)) {
      const { sha256 } = await copyHashed(createReadStream(deps.secretPath), join(partial, PARTS.secret), signal);
      await sums.appendFile(sumLine(sha256, PARTS.secret));
    }
    await sums.sync();
  }

  await makeFolder(target, partial);
  try {
    using live = readContents(databasePath, { check: false });
    await checkRoom(partial, live.bytes + (await stat(databasePath)).size);
    const missing = await copyConsistently();
    const manifest = await describe(missing);
    await addOwnParts();
    // A folder of that name that somebody has made and filled meanwhile does not give way.
    await rename(partial, target);
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}
