import { glob, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CliError, reasonOf } from './exit.ts';

const PATTERN = /[*?[\]{}]/;
const PHOTO = /\.(?:jpe?g|png|webp|avif|tiff?|gif|bmp)$/i;
/** What `planTargets` calls a result, and what stands beside it. */
const OURS = /-restored(?:-\d+)?(?:-compare|\.mask)?\.\w+$/;

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

async function matches(pattern: string): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(pattern)) if (await isFile(path)) found.push(path);
  return found.toSorted();
}

async function photosIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch((error: unknown) => {
    throw new CliError(`${folder}: ${reasonOf(error)}.`, 'failed', error);
  });
  const photos = entries.filter((name) => PHOTO.test(name) && !name.startsWith('.') && !OURS.test(name));
  return photos.toSorted().map((name) => join(folder, name));
}

/** @throws CliError when nothing is meant. */
async function meant(name: string, isPhoto: (path: string) => boolean): Promise<string[]> {
  const found = await stat(name).catch(() => undefined);
  if (found?.isDirectory() === true) {
    const photos = (await photosIn(name)).filter(isPhoto);
    if (photos.length === 0) throw new CliError(`There is no photo in ${name}.`, 'usage');
    return photos;
  }
  if (found !== undefined || !PATTERN.test(name)) return [name];
  const photos = (await matches(name)).filter(isPhoto);
  if (photos.length === 0) throw new CliError(`No file matches ${name}.`, 'usage');
  return photos;
}

/**
 * The photos that were named, each once, in order. A folder stands for the photos in it, but not for what an earlier
 * restoration has left beside them. A pattern that the shell left alone is expanded; a file whose name looks like a
 * pattern is taken as it is. What does not exist stays in the list, to fail in its turn.
 *
 * @param report what this command is going to write: not meant by a folder or a pattern, either.
 * @throws CliError (usage) for a pattern that nothing matches and a folder without photos.
 */
export async function expandPhotos(named: readonly string[], report: string | undefined): Promise<string[]> {
  const isPhoto = (path: string): boolean => report === undefined || resolve(path) !== resolve(report);
  const photos = new Map<string, string>();
  for (const name of named) {
    for (const path of await meant(name, isPhoto)) photos.set(resolve(path), path);
  }
  return [...photos.values()];
}

/**
 * @param maxBytes 0 = no limit.
 * @throws CliError for what is no file, is empty or is larger than the service takes.
 */
export async function checkPhoto(path: string, maxBytes: number): Promise<void> {
  const found = await stat(path).catch((error: unknown) => {
    throw new CliError(`${reasonOf(error)}.`, 'failed', error);
  });
  if (!found.isFile()) throw new CliError('it is no file.');
  if (maxBytes > 0 && found.size > maxBytes) {
    throw new CliError(
      `PAYLOAD_TOO_LARGE: The file has ${(found.size / 1e6).toFixed(1)} MB; the service takes up to ${maxBytes / 1e6} MB.`,
      'refused',
    );
  }
}
