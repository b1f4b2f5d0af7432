import type { Photo } from '../photos/entity.ts';
import { safeFilename } from '../storage/names.ts';
import type { Restoration } from './entity.ts';

/**
 * Where a file of a restoration lies in the storage: `<folder>/<session>/<restoration>_<name of the photo><ending>`.
 *
 * @param ending with its dot, e.g. `.jpg`.
 */
export function keyOf(
  folder: string,
  { id, attempts, sessionId }: Pick<Restoration, 'id' | 'attempts' | 'sessionId'>,
  { originalFilename }: Photo,
  ending: string,
): string {
  // A late writer of an earlier try must not touch the file of the one that won (C4).
  const file = attempts > 1 ? `${id}_${attempts}` : id;
  const name = safeFilename(originalFilename).replace(/\.[A-Za-z0-9]{1,5}$/, '');
  return `${folder}/${sessionId ?? 'account'}/${file}_${name}${ending}`;
}
