import { defineEntity, p, type InferEntity } from '@mikro-orm/sqlite';
import { SessionEntity, UserEntity } from '../auth/entity.ts';
import { baseColumns } from '../db/columns.ts';
import type { RenditionName } from '../imaging/renditions.ts';

/** An uploaded original, never altered. */
export const PhotoEntity = defineEntity({
  name: 'Photo',
  tableName: 'photo',
  properties: {
    ...baseColumns,
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName('user_id').deleteRule('cascade').index(false),
    /** The session it came in by; null once that session is gone. */
    sessionId: () =>
      p.manyToOne(SessionEntity).mapToPk().fieldName('session_id').deleteRule('set null').index(false).strictNullable(),
    originalFilename: p.string(),
    format: p.string(),
    mimeType: p.string(),
    /** As displayed, after the EXIF orientation. */
    width: p.integer(),
    height: p.integer(),
    bitDepth: p.integer(),
    hasAlpha: p.boolean(),
    bytes: p.bigint('number'),
    sha256: p.string(),
    dominantColor: p.string(),
    thumbhash: p.string(),
    storageKey: p.string(),
    /** The restoration its owner chose; null = the newest success. No foreign key: restorations know photos, not the reverse. */
    selectedRestorationId: p.uuid().strictNullable(),
  },
  uniques: [{ properties: ['userId', 'sha256'] }],
  indexes: [{ properties: ['userId', 'id'] }, { properties: ['sessionId', 'id'] }],
});
export type Photo = InferEntity<typeof PhotoEntity>;

/** A derived file of a photo or of a restoration. */
export const RenditionEntity = defineEntity({
  name: 'Rendition',
  tableName: 'rendition',
  properties: {
    ...baseColumns,
    /** Id of the photo or restoration. */
    ownerId: p.uuid(),
    name: p.string().$type<RenditionName>(),
    width: p.integer(),
    height: p.integer(),
    bytes: p.bigint('number'),
    storageKey: p.string(),
  },
  uniques: [{ properties: ['ownerId', 'name'] }],
});
export type Rendition = InferEntity<typeof RenditionEntity>;
