import { defineEntity, p, type InferEntity } from '@mikro-orm/sqlite';
import type { RestorationStage } from '../imaging/pipeline.ts';

export const ACTIVITY_KINDS = {
  PHOTO_UPLOADED: 'A photo has been stored.',
  PHOTO_READY: 'The renditions of a photo have been made.',
  PHOTO_DIAGNOSED: 'What is wrong with a photo has been measured.',
  PHOTO_CHANGED: 'A photo shows another attempt.',
  PHOTO_DELETED: 'A photo is gone, with all its restorations.',
  RESTORATION_CHANGED: 'A restoration has a new status or stage.',
  RESTORATION_DELETED: 'A restoration is gone.',
} as const;
export type ActivityKind = keyof typeof ACTIVITY_KINDS;

export const RESTORATION_STATUSES = ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const;
export type RestorationStatus = (typeof RESTORATION_STATUSES)[number];

/**
 * The log that subscriptions, webhooks and polling read. Its number is the cursor: strictly increasing, whatever the
 * clock does. Ids are kept without foreign keys, since "it is gone" is an event too.
 */
export const EventEntity = defineEntity({
  name: 'Event',
  tableName: 'event',
  properties: {
    seq: p.integer().primary().autoincrement(),
    at: p.datetime(),
    kind: p.string().$type<ActivityKind>(),
    /** Whose activity it is; null once that session is gone. */
    sessionId: p.uuid().strictNullable(),
    photoId: p.uuid().strictNullable(),
    restorationId: p.uuid().strictNullable(),
    attempt: p.integer(),
    status: p.string().$type<RestorationStatus>().strictNullable(),
    stage: p.string().$type<RestorationStage>().strictNullable(),
    percent: p.double().$type<number>(),
    message: p.string().strictNullable(),
  },
  indexes: [
    { properties: ['sessionId', 'seq'] },
    { properties: ['restorationId', 'seq'] },
    { properties: ['photoId'] },
  ],
});
type EventRow = InferEntity<typeof EventEntity>;
export type StoredEvent = Omit<EventRow, 'seq'> & { readonly seq: number };
