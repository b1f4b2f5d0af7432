import { copyFile, lstat, mkdir, open, opendir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { Log } from '../log.ts';
import { codeOf, toAppError } from '../errors.ts';
import type { Storage, StoredFile } from './storage.ts';

/** Copies from another disk are laid here first; no key can begin with a dot. */
const INCOMING = '.incoming';
const MISSING = new Set(['ENOENT', 'ENOTDIR']);

function isMissing(error: unknown): boolean {
  return MISSING.has(String(codeOf(error)));
}

async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    // A change of the mode, even to itself, would make a file that is durable already wait for the journal again.
    const { mode } = await file.stat();
    if ((mode & 0o777) !== 0o600) await file.chmod(0o600);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes a folder and those above it, each entry of them durable. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

/**
 * Files in a folder of this machine, mode 0600. A file appears under its key whole or not at all.
 *
 * @param options.root made where it is missing; on the disk of the spool a `put` moves without copying.
 */
export function createDiskStorage(options: { root: string; log?: Log }): Storage {
  const root = resolve(options.root);
  const incoming = join(root, INCOMING);
  const pathOf = (key: string): string => join(root, key);
  let emptied: Promise<void> | undefined;

  /** What a crash has left of earlier copies goes before the first new one. */
  function emptyIncoming(): Promise<void> {
    emptied ??= rm(incoming, { recursive: true, force: true }).then(() => makeFolder(incoming));
    return emptied;
  }

  async function copyThenRename(from: string, to: string): Promise<void> {
    await emptyIncoming();
    const copy = join(incoming, randomUUID());
    try {
      await copyFile(from, copy);
      await syncFile(copy);
      await rename(copy, to);
    } catch (error) {
      await rm(copy, { force: true });
      throw error;
    }
    await rm(from, { force: true });
  }

  async function moveIn(from: string, to: string): Promise<void> {
    try {
      await rename(from, to);
    } catch (error) {
      if (codeOf(error) !== 'EXDEV') throw error;
      options.log?.debug({ to }, 'the temporary folder is on another disk: copying');
      await copyThenRename(from, to);
    }
  }

  async function* walk(folder: string, prefix: string): AsyncGenerator<{ key: string } & StoredFile> {
    const entries = await orNull(opendir(join(root, folder)));
    if (entries === null) return;
    for await (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (key.startsWith(prefix) || prefix.startsWith(`${key}/`)) yield* walk(key, prefix);
      } else if (key.startsWith(prefix)) {
        const found = await orNull(lstat(join(root, key)));
        if (found?.isFile()) yield { key, bytes: found.size, modifiedAt: found.mtime };
      }
    }
  }

  async function statFile(key: string): Promise<StoredFile | null> {
    const found = await orNull(stat(pathOf(key)));
    return found?.isFile() ? { bytes: found.size, modifiedAt: found.mtime } : null;
  }

  return {
    async put(key, localPath) {
      const target = pathOf(key);
      const folder = dirname(target);
      try {
        await syncFile(localPath);
        for (let tries = 0; ; tries++) {
          try {
            await makeFolder(folder);
            await moveIn(localPath, target);
            await syncFolder(folder);
            return;
          } catch (error) {
            // A delete beside us may take empty folders away at any moment.
            if (!isMissing(error) || tries === 5) throw error;
          }
        }
      } catch (error) {
        throw toAppError(error);
      }
    },

    async open(key, range) {
      const file = await orNull(open(pathOf(key), 'r'));
      if (file === null) return null;
      if (!(await file.stat()).isFile()) {
        await file.close();
        return null;
      }
      return file.createReadStream(range ?? {});
    },

    stat: statFile,

    async delete(key) {
      await orNull(rm(pathOf(key)));
      for (let folder = dirname(pathOf(key)); folder !== root; folder = dirname(folder)) {
        try {
          await rmdir(folder);
        } catch (error) {
          if (!isMissing(error)) return;
        }
      }
    },

    list(prefix) {
      const slash = prefix.lastIndexOf('/');
      return walk(slash === -1 ? '' : prefix.slice(0, slash), prefix);
    },

    async local(key) {
      if ((await statFile(key)) === null) return null;
      return { path: pathOf(key), [Symbol.asyncDispose]: async () => {} };
    },
  };
}
