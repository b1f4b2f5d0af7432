import { mkdir, readdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../errors.ts';
import { BackupError } from './format.ts';

async function isEmpty(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length === 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    throw error;
  }
}

/**
 * Makes the folder that a backup grows in.
 *
 * @throws BackupError when `target` holds something, or an earlier backup was cut short.
 */
export async function makeFolder(target: string, partial: string): Promise<void> {
  if (!(await isEmpty(target))) throw new BackupError(`${target} is not empty: a backup needs a folder of its own.`);
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
