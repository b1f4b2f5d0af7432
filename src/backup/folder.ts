import { mkdir, readdir, rmdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../errors.ts';
import { BackupError } from './format.ts';

/**
 * Takes an empty folder out of the way, since a backup grows beside it and gets its name in the end: one that is the root
 * of a disk could not give its place up, and the backup would grow on the wrong disk.
 */
async function makeWay(target: string): Promise<void> {
  try {
    if ((await readdir(target)).length > 0) {
      throw new BackupError(`${target} is not empty: a backup needs a folder of its own.`);
    }
    await rmdir(target);
  } catch (error) {
    if (codeOf(error) === 'EBUSY') throw new BackupError(`${target} is a disk of its own: name a folder in it.`, error);
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/**
 * Makes the folder that a backup grows in.
 *
 * @throws BackupError when `target` holds something or is a disk, or an earlier backup was cut short.
 */
export async function makeFolder(target: string, partial: string): Promise<void> {
  await makeWay(target);
  await mkdir(dirname(partial), { recursive: true });
  await mkdir(partial, { mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new BackupError(`${partial} is left of a backup that was cut short: delete it, then try again.`);
  });
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;

/** Refuses at once what could not end. @throws BackupError */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const room = bavail * bsize;
  if (room >= bytes) return;
  throw new BackupError(`${folder} has room for ${megabytes(room)}; ${megabytes(bytes)} are needed.`);
}
