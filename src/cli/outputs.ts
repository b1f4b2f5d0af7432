import { randomBytes } from 'node:crypto';
import { access, constants, link, mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve, sep } from 'node:path';
import { CliError, reasonOf, UsageError } from './exit.ts';
import type { OutputFormat } from './generated/graphql.ts';

/** Where the result of one photo goes. */
export interface Target {
  readonly folder: string;
  /** The name without its extension. */
  readonly stem: string;
  /** The extension that was asked for, with its dot; null = that of the result. */
  readonly extension: string | null;
}

/** The format a file name asks for. */
const FORMAT_OF: Readonly<Record<string, OutputFormat>> = {
  '.jpg': 'JPEG',
  '.jpeg': 'JPEG',
  '.png': 'PNG',
  '.webp': 'WEBP',
};

const EXTENSION_OF: Readonly<Record<string, string>> = { jpeg: '.jpg', png: '.png', webp: '.webp' };

/** What `link` answers on file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV']);

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/**
 * Plans one target per photo: beside the photo as `<name>-restored`, in the folder, or the very file that was named.
 *
 * @param output a folder (made where it is missing) or, for a single photo, a file; undefined = beside each photo.
 * @returns the targets, and the format that a named file asks for.
 * @throws CliError when the folder cannot be made.
 */
export async function planTargets(
  photos: readonly string[],
  output: string | undefined,
): Promise<{ targets: Target[]; format: OutputFormat | undefined }> {
  const intoFolder =
    output !== undefined &&
    (photos.length > 1 || output.endsWith('/') || output.endsWith(sep) || (await isFolder(output)));
  if (output !== undefined && !intoFolder) {
    const extension = extname(output);
    const format = FORMAT_OF[extension.toLowerCase()];
    if (format === undefined) {
      throw new UsageError(`-o is ${output}: a result ends in .jpg, .png or .webp; end a folder with /.`);
    }
    return { targets: [{ folder: dirname(output), stem: basename(output, extension), extension }], format };
  }
  if (output !== undefined) {
    await mkdir(output, { recursive: true }).catch((error: unknown) => {
      throw new CliError(`${output} cannot be used as a folder: ${reasonOf(error)}.`, 'failed', error);
    });
  }
  const taken = new Set<string>();
  const targets = photos.map((photo): Target => {
    const folder = output ?? dirname(photo);
    const name = `${basename(photo, extname(photo))}-restored`;
    let stem = name;
    for (let n = 2; taken.has(resolve(folder, stem)); n += 1) stem = `${name}-${n}`;
    taken.add(resolve(folder, stem));
    return { folder, stem, extension: null };
  });
  return { targets, format: undefined };
}

/** @param format of the result: jpeg, png or webp. */
export function resultPath({ folder, stem, extension }: Target, format: string): string {
  return join(folder, `${stem}${extension ?? EXTENSION_OF[format] ?? `.${format}`}`);
}

export function comparisonPath({ folder, stem }: Target): string {
  return join(folder, `${stem}-compare.jpg`);
}

export function maskPath({ folder, stem }: Target): string {
  return join(folder, `${stem}.mask.png`);
}

/**
 * Looks before the work whether its result could be written.
 *
 * @param photo what the result must never be written over.
 * @throws CliError
 */
export async function checkTarget(path: string, photo: string, force: boolean): Promise<void> {
  if (resolve(path) === resolve(photo)) {
    throw new CliError(`the result would be written over the photo itself; name another file with -o.`);
  }
  if (await isFolder(path)) throw new CliError(`${path} is a folder.`);
  if (!force && (await exists(path))) {
    throw new CliError(`${path} exists already; --force writes over it.`);
  }
  await access(dirname(path), constants.W_OK).catch((error: unknown) => {
    throw new CliError(`${path} cannot be written: ${reasonOf(error)}.`, 'failed', error);
  });
}

async function putInPlace(from: string, to: string, force: boolean): Promise<void> {
  if (force) return rename(from, to);
  try {
    // Unlike a rename, a link never replaces what somebody else has put there meanwhile.
    await link(from, to);
  } catch (error) {
    if (!NO_LINKS.has(String((error as { code?: unknown }).code)) || (await exists(to))) throw error;
    await rename(from, to);
  }
}

/**
 * Writes a file whole or not at all: `write` fills a temporary file in the same folder, which then takes its name.
 *
 * @throws CliError when it cannot be written, and whatever `write` throws.
 */
export async function writeWhole(path: string, force: boolean, write: (temporary: string) => Promise<void>) {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.part`);
  try {
    await write(temporary);
    await putInPlace(temporary, path, force);
  } catch (error) {
    if (typeof (error as { syscall?: unknown }).syscall !== 'string') throw error;
    throw new CliError(`${path} cannot be written: ${reasonOf(error)}.`, 'failed', error);
  } finally {
    await rm(temporary, { force: true });
  }
}
