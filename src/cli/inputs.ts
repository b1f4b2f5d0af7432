import { glob, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CliError, reasonOf } from './exit.ts';

const PATTERN = /[*?[\]{}]/;

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

async function matches(pattern: string): Promise<string[]> {
  const found: string[] = [];
  for await (const path of glob(pattern)) if (await isFile(path)) found.push(path);
  return found.toSorted();
}

/**
 * The photos that were named, each once, in order. A pattern that the shell left alone is expanded; a file whose name
 * looks like a pattern is taken as it is. What does not exist stays in the list, to fail in its turn.
 *
 * @throws CliError (usage) for a pattern that nothing matches.
 */
export async function expandPhotos(named: readonly string[]): Promise<string[]> {
  const photos = new Map<string, string>();
  for (const name of named) {
    const pattern = PATTERN.test(name) && !(await isFile(name));
    const found = pattern ? await matches(name) : [name];
    if (found.length === 0) throw new CliError(`No file matches ${name}.`, 'usage');
    for (const path of found) photos.set(resolve(path), path);
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
  if (found.isDirectory()) throw new CliError(`it is a folder; name the photos in it, e.g. '${path}/*.jpg'.`);
  if (!found.isFile()) throw new CliError('it is no file.');
  if (maxBytes > 0 && found.size > maxBytes) {
    throw new CliError(
      `PAYLOAD_TOO_LARGE: The file has ${(found.size / 1e6).toFixed(1)} MB; the service takes up to ${maxBytes / 1e6} MB.`,
      'refused',
    );
  }
}
