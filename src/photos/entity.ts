import { defineEntity, p, type InferEntity } from '@mikro-orm/sqlite';
import { SessionEntity, UserEntity } from '../auth/entity.ts';
import { baseColumns } from '../db/columns.ts';
import type { RenditionName } from '../imaging/renditions.ts';
import type { Finding } from './findings.ts';

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

/** A step that the model `auto` would run. */
export interface RecommendedStep {
  readonly name: string;
  /** 0–1. */
  readonly strength: number;
  readonly reason: string;
}

/** Kept as JSON. */
export interface DiagnosisData {
  readonly findings: readonly Finding[];
  readonly summary: string;
  readonly recommended: readonly RecommendedStep[];
}

/** What was measured on a photo; goes with it. */
export const DiagnosisEntity = defineEntity({
  name: 'Diagnosis',
  tableName: 'diagnosis',
  properties: {
    ...baseColumns,
    photoId: () => p.manyToOne(PhotoEntity).mapToPk().fieldName('photo_id').deleteRule('cascade').unique().index(false),
    data: p.json().$type<DiagnosisData>(),
  },
});
export type Diagnosis = InferEntity<typeof DiagnosisEntity>;

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
