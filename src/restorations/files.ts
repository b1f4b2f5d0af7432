import type { EntityManager } from '@mikro-orm/sqlite';
import { isId } from '../db/ids.ts';
import { rowById } from '../db/rows.ts';
import { PhotoEntity } from '../photos/entity.ts';
import type { Renditions } from '../photos/renditions.ts';
import { restorationById } from './journal.ts';
import type { Masks } from './masks.ts';

/** A stored file as it is handed out. */
export interface LinkedFile {
  storageKey: string;
  mimeType: string;
  filename: string;
  etag: string;
}

const PATH = /^(photos|restorations)\/([0-9a-f-]{36})\/([a-z]{1,20})$/;

const withoutExtension = (name: string): string => name.replace(/\.[A-Za-z0-9]{1,5}$/, '');

/** Knows which stored file stands behind the path of a signed link: `photos/<id>/file`, `restorations/<id>/large`, … */
export function createFileSource(deps: { fork: () => EntityManager; renditions: Renditions; masks: Masks }) {
  const owners = {
    async photos(em: EntityManager, id: string): Promise<LinkedFile | null> {
      const photo = await rowById(em, PhotoEntity, id);
      if (photo === undefined) return null;
      const { storageKey, mimeType, originalFilename: filename, sha256: etag } = photo;
      return { storageKey, mimeType, filename, etag };
    },

    async restorations(em: EntityManager, id: string): Promise<LinkedFile | null> {
      const restoration = await restorationById(em, id);
      if (restoration === null) return null;
      const { storageKey, mimeType, format, sha256, photoId } = restoration;
      const photo = await owners.photos(em, photoId);
      if (storageKey === null || mimeType === null || sha256 === null || photo === null) return null;
      const filename = `${withoutExtension(photo.filename)}-restored.${format === 'jpeg' ? 'jpg' : format}`;
      return { storageKey, mimeType, filename, etag: sha256 };
    },
  };

  /** Also of a restoration without a result, whose owner has sent it. */
  async function maskOf(em: EntityManager, id: string): Promise<LinkedFile | null> {
    const [mask] = await deps.masks.of(em, [id]);
    const restoration = mask && (await restorationById(em, id));
    const photo = restoration && (await owners.photos(em, restoration.photoId));
    if (mask === undefined || photo == null) return null;
    const filename = `${withoutExtension(photo.filename)}-mask.png`;
    return { storageKey: mask.storageKey, mimeType: 'image/png', filename, etag: mask.sha256 };
  }

  return {
    /** Null when there is none, or none any more. */
    async find(path: string): Promise<LinkedFile | null> {
      const [, kind, id, variant] = PATH.exec(path) ?? [];
      if (id === undefined || variant === undefined || !isId(id)) return null;
      const em = deps.fork();
      if (kind === 'restorations' && variant === 'mask') return maskOf(em, id);
      const original = await owners[kind as keyof typeof owners](em, id);
      if (original === null || variant === 'file') return original;
      const rows = await deps.renditions.of(em, [id]);
      const rendition = rows.find((row) => row.name.toLowerCase() === variant);
      if (rendition === undefined) return null;
      return {
        storageKey: rendition.storageKey,
        mimeType: 'image/webp',
        filename: `${withoutExtension(original.filename)}-${variant}.webp`,
        etag: rendition.id,
      };
    },
  };
}
