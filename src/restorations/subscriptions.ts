import { ACTIVITY_KINDS } from '../events/entity.ts';
import { encodeCursor, type Published } from '../events/service.ts';
import { builder } from '../graphql/builder.ts';
import { documented } from '../graphql/documented.ts';
import { localId } from '../graphql/global-id.ts';
import { loadPhoto, PhotoRef } from '../photos/schema.ts';
import type { Followed } from './follow.ts';
import { loadRestoration, RestorationRef, StageEnum, StatusEnum } from './schema.ts';

const cursorDoc = 'Its place in the log: give it as `after` to go on from here after a lost connection.';

const RestorationEventRef = builder.objectRef<Followed>('RestorationEvent').implement({
  description: 'One step in the life of a restoration, or a percent in between.',
  fields: (t) => ({
    cursor: t.string({
      description: `${cursorDoc} A percent in between has that of the last stored event.`,
      resolve: ({ event }) => encodeCursor(event.seq),
    }),
    attempt: t.int({
      description: 'Which try it belongs to; 0 before the first.',
      resolve: ({ event }) => event.attempt,
    }),
    at: t.field({ type: 'DateTime', description: 'When it happened.', resolve: ({ event }) => event.at }),
    status: t.field({
      type: StatusEnum,
      description: 'Status then.',
      resolve: ({ event, restoration }) => event.status ?? restoration.status,
    }),
    stage: t.field({
      type: StageEnum,
      nullable: true,
      description: 'Stage then.',
      resolve: ({ event }) => event.stage,
    }),
    percent: t.float({
      description: '0 to 100; never goes back within one try.',
      resolve: ({ event }) => event.percent,
    }),
    etaSeconds: t.int({
      nullable: true,
      description: 'Seconds until the end, once there is a base for it.',
      resolve: ({ etaSeconds }) => etaSeconds,
    }),
    message: t.string({
      nullable: true,
      description: 'What a person can read.',
      resolve: ({ event }) => event.message,
    }),
    restoration: t.expose('restoration', { type: RestorationRef, description: 'The restoration as it is.' }),
  }),
});

const ActivityKindEnum = builder.enumType('ActivityKind', {
  description: 'What has happened.',
  values: documented(ACTIVITY_KINDS),
});

const ActivityEventRef = builder.objectRef<Published>('ActivityEvent').implement({
  description: 'Something that happened in this session.',
  fields: (t) => ({
    cursor: t.string({ description: cursorDoc, resolve: ({ event }) => encodeCursor(event.seq) }),
    at: t.field({ type: 'DateTime', description: 'When it happened.', resolve: ({ event }) => event.at }),
    kind: t.field({ type: ActivityKindEnum, description: 'What it was.', resolve: ({ event }) => event.kind }),
    photo: t.field({
      type: PhotoRef,
      nullable: true,
      description: 'The photo it is about; null when it has gone since.',
      resolve: ({ event }, _args, context) => (event.photoId === null ? null : loadPhoto(context, event.photoId)),
    }),
    restoration: t.field({
      type: RestorationRef,
      nullable: true,
      description: 'The restoration it is about, as it is; null when it has gone since or is about none.',
      resolve: ({ event }, _args, context) =>
        event.restorationId === null ? null : loadRestoration(context, event.restorationId),
    }),
  }),
});

builder.subscriptionFields((t) => ({
  restorationUpdated: t.field({
    type: RestorationEventRef,
    description:
      'Follows one restoration: the present state first, or every stored event after the cursor, then what comes; ' +
      'completes at the end state.',
    args: {
      id: t.arg.id({ required: true, description: 'Global id.' }),
      after: t.arg.string({ description: 'Cursor of the last event you have seen.' }),
    },
    subscribe: (_root, { id, after }, context) =>
      context.services.follow.restoration(context, localId('Restoration', id), after ?? undefined),
    resolve: (followed) => followed,
  }),
  viewerActivity: t.field({
    type: ActivityEventRef,
    description: 'Everything that happens in this session, from the cursor or from now on.',
    args: { after: t.arg.string({ description: 'Cursor of the last event you have seen.' }) },
    subscribe: (_root, { after }, context) => context.services.follow.activity(context, after ?? undefined),
    resolve: (published) => published,
  }),
}));
