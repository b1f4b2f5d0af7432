import { defineEntity, p, type InferEntity } from '@mikro-orm/sqlite';
import { SessionEntity, UserEntity } from '../auth/entity.ts';
import { baseColumns } from '../db/columns.ts';
import type { ErrorCode } from '../errors.ts';
import type { RestorationStatus } from '../events/entity.ts';
import type { RestorationStage } from '../imaging/pipeline.ts';
import { PhotoEntity } from '../photos/entity.ts';
import type { RestorationOptions } from './options.ts';
import type { StoredReport } from './report.ts';

/** One attempt at one photo with one model: the durable job, whose truth is this row. */
export const RestorationEntity = defineEntity({
  name: 'Restoration',
  tableName: 'restoration',
  properties: {
    ...baseColumns,
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName('user_id').deleteRule('cascade').index(false),
    sessionId: () =>
      p.manyToOne(SessionEntity).mapToPk().fieldName('session_id').deleteRule('set null').index(false).strictNullable(),
    photoId: () => p.manyToOne(PhotoEntity).mapToPk().fieldName('photo_id').deleteRule('cascade').index(false),
    modelId: p.string(),
    options: p.json<RestorationOptions>(),
    status: p.string().$type<RestorationStatus>(),
    stage: p.string().$type<RestorationStage>().strictNullable(),
    /** 0 to 100, as of the last stored event; what runs is more recent in `progress.ts`. */
    percent: p.double().$type<number>(),
    /** Tries begun so far. */
    attempts: p.integer(),
    triesLeft: p.integer(),
    /** That of the queue's present claim; a writer with another one loses. */
    fence: p.integer(),
    /** Seq of the last event of this restoration. */
    lastEvent: p.integer().strictNullable(),
    queuedAt: p.datetime(),
    startedAt: p.datetime().strictNullable(),
    finishedAt: p.datetime().strictNullable(),
    report: p.json<StoredReport>().strictNullable(),
    storageKey: p.string().strictNullable(),
    format: p.string().strictNullable(),
    mimeType: p.string().strictNullable(),
    width: p.integer().strictNullable(),
    height: p.integer().strictNullable(),
    bytes: p.bigint('number').strictNullable(),
    sha256: p.string().strictNullable(),
    errorCode: p.string().$type<ErrorCode>().strictNullable(),
    errorMessage: p.string().strictNullable(),
    errorRetryAfter: p.double().$type<number>().strictNullable(),
    errorProvider: p.string().strictNullable(),
  },
  indexes: [
    { properties: ['userId', 'id'] },
    { properties: ['userId', 'status', 'id'] },
    { properties: ['sessionId', 'id'] },
    { properties: ['sessionId', 'status'] },
    { properties: ['photoId', 'id'] },
    // At start: what has not ended, among any number that has.
    { properties: ['status'] },
  ],
});
export type Restoration = InferEntity<typeof RestorationEntity>;

/** What a list does without: what no client sees, and the two that are JSON and that few ask for. */
export const NOT_LISTED = [
  'createdAt',
  'userId',
  'sessionId',
  'options',
  'triesLeft',
  'fence',
  'lastEvent',
  'report',
  'mimeType',
] as const satisfies readonly (keyof Restoration)[];

/** A restoration as a list has it. */
export type ListedRestoration = Omit<Restoration, (typeof NOT_LISTED)[number]> &
  Partial<Pick<Restoration, 'options' | 'report'>>;

/** One try of the queue at a restoration. */
export const RunEntity = defineEntity({
  name: 'Run',
  tableName: 'run',
  properties: {
    ...baseColumns,
    restorationId: () =>
      p.manyToOne(RestorationEntity).mapToPk().fieldName('restoration_id').deleteRule('cascade').index(false),
    number: p.integer(),
    provider: p.string(),
    startedAt: p.datetime(),
    finishedAt: p.datetime().strictNullable(),
    errorCode: p.string().$type<ErrorCode>().strictNullable(),
    errorMessage: p.string().strictNullable(),
  },
  uniques: [{ properties: ['restorationId', 'number'] }],
});
export type Run = InferEntity<typeof RunEntity>;

/** What was repaired, or what its owner wants to be: a grey picture of the photo's size, white = damage. */
export const MaskEntity = defineEntity({
  name: 'Mask',
  tableName: 'mask',
  properties: {
    ...baseColumns,
    restorationId: () =>
      p.manyToOne(RestorationEntity).mapToPk().fieldName('restoration_id').deleteRule('cascade').index(false),
    /** True when its owner has sent it, false when a repair has found it. */
    own: p.boolean(),
    width: p.integer(),
    height: p.integer(),
    bytes: p.bigint('number'),
    /** Share of the photo that it marks, 0–1. */
    coverage: p.double().$type<number>(),
    sha256: p.string(),
    storageKey: p.string(),
  },
  uniques: [{ properties: ['restorationId'] }],
});
export type Mask = InferEntity<typeof MaskEntity>;

/** Remembers what a client submitted under its own key, for 24 hours. */
export const SubmissionEntity = defineEntity({
  name: 'Submission',
  tableName: 'submission',
  properties: {
    ...baseColumns,
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName('user_id').deleteRule('cascade').index(false),
    key: p.string(),
    /** SHA-256 of what was asked for: the same key with another body is CONFLICT. */
    bodyHash: p.string(),
    restorationId: () => p.manyToOne(RestorationEntity).mapToPk().fieldName('restoration_id').deleteRule('cascade'),
  },
  uniques: [{ properties: ['userId', 'key'] }],
  indexes: [{ properties: ['createdAt'] }],
});
export type Submission = InferEntity<typeof SubmissionEntity>;
