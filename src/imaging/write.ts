import type { OutputInfo, Sharp } from 'sharp';

/** What libvips reports of a disk in trouble, in the words of strerror(3), and the code that Node would give it. */
const TROUBLES = {
  ENOSPC: /No space left on device|Disk quota exceeded/,
  EROFS: /Read-only file system/,
  EACCES: /Permission denied|Operation not permitted/,
  EIO: /Input\/output error/,
};

/**
 * Writes a picture to `path`. A disk in trouble is an error with a `code`, as from Node's own files: libvips has only a
 * text for it.
 */
export async function writePicture(picture: Sharp, path: string): Promise<OutputInfo> {
  try {
    return await picture.toFile(path);
  } catch (error) {
    const text = error instanceof Error ? error.message : '';
    const code = Object.entries(TROUBLES).find(([, words]) => words.test(text))?.[0];
    throw code === undefined ? error : Object.assign(new Error(text, { cause: error }), { code });
  }
}
