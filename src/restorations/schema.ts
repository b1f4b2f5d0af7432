import { ViewerRef } from '../auth/schema.ts';
import { AppError, ERROR_CODES, type ErrorCode } from '../errors.ts';
import type { RestorationStatus } from '../events/entity.ts';
import { builder } from '../graphql/builder.ts';
import { documented } from '../graphql/documented.ts';
import { toConnection } from '../graphql/connection.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import { localId } from '../graphql/global-id.ts';
import { perContext } from '../graphql/loader.ts';
import { ErrorCodeEnum } from '../graphql/scalars.ts';
import { selects } from '../graphql/selects.ts';
import type { RestorationStage } from '../imaging/pipeline.ts';
import { ModelRef } from '../models/schema.ts';
import type { Photo } from '../photos/entity.ts';
import { expiresInArg, linkTo, loadRenditions, RenditionNameEnum, RenditionRef } from '../photos/rendition-schema.ts';
import { ListOrderEnum, loadPhoto, PhotoRef, ScopeEnum } from '../photos/schema.ts';
import type { ListedRestoration, Restoration, Run } from './entity.ts';
import { ATTEMPTS_SHOWN } from './service.ts';
import { OptionsRef } from './options-schema.ts';
import { readReport } from './report.ts';
import { ReportRef } from './report-schema.ts';

const STATUS_DOCS: Record<RestorationStatus, string> = {
  QUEUED: 'Waits for its turn, or for its next try.',
  RUNNING: 'Is being worked on.',
  SUCCEEDED: 'The result is there.',
  FAILED: 'Given up; `error` says why.',
  CANCELLED: 'Stopped by its owner.',
};

export const StatusEnum = builder.enumType('RestorationStatus', {
  description: 'Where a restoration stands.',
  values: documented(STATUS_DOCS),
});

const STAGE_DOCS: Record<RestorationStage, string> = {
  PREPARING: 'The photo is read and measured.',
  UPLOADING: 'The photo is on its way to the provider.',
  WAITING_FOR_PROVIDER: 'The provider has not begun yet.',
  REPAIRING: 'Scratches and dust are filled.',
  DENOISING: 'Grain and artefacts are removed.',
  COLOURING: 'Tone and colour are brought back.',
  FACES: 'Faces are restored, one by one.',
  UPSCALING: 'The picture is made larger.',
  FINISHING: 'The result is encoded and stored.',
};

export const StageEnum = builder.enumType('RestorationStage', {
  description: 'What is being done to a running restoration.',
  values: documented(STAGE_DOCS),
});

interface Failure {
  code: ErrorCode;
  message: string;
  retryAfter: number | null;
  provider: string | null;
}

const ErrorRef = builder.objectRef<Failure>('RestorationError').implement({
  description: 'Why a restoration, or one try of it, failed.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCodeEnum, description: 'What a program can act on.' }),
    message: t.exposeString('message', { description: 'What a person can read.' }),
    retryable: t.boolean({
      description: 'Whether the same request may succeed later.',
      resolve: ({ code }) => ERROR_CODES[code].retryable,
    }),
    retryAfter: t.exposeFloat('retryAfter', { nullable: true, description: 'Seconds to wait before that.' }),
    provider: t.exposeString('provider', { nullable: true, description: 'The provider that failed.' }),
  }),
});

const RunRef = builder.objectRef<Run>('Run').implement({
  description: 'One try at a restoration: a crash, a retry or a fail-over makes more than one.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'From 1.' }),
    provider: t.exposeString('provider', { description: 'Which provider worked on it.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
    durationMs: t.int({
      nullable: true,
      description: 'How long it took; null while it runs.',
      resolve: ({ startedAt, finishedAt }) => finishedAt && Math.max(0, finishedAt.getTime() - startedAt.getTime()),
    }),
    error: t.field({
      type: ErrorRef,
      nullable: true,
      description: 'Why it failed; null when it did not.',
      resolve: ({ errorCode: code, errorMessage, provider }) =>
        code && { code, message: errorMessage ?? '', retryAfter: null, provider },
    }),
  }),
});

const loadRuns = perContext<GraphQLContext, Run[]>(async (context, ids) => {
  const runs = await context.services.restorations.runsOf(context.em, ids);
  const byRestoration = Map.groupBy(runs, (run) => run.restorationId);
  return ids.map((id) => byRestoration.get(id) ?? []);
});

/** The actor's own restorations by id, many in one query; null where one is missing or somebody else's. */
export const loadRestoration = perContext<GraphQLContext, Restoration | null>((context, ids) =>
  context.services.restorations.ownMany(context, ids),
);

const loadOfPhoto = perContext<GraphQLContext, Restoration[]>(async (context, photoIds) => {
  const rows = await context.services.restorations.ofPhotos(context, photoIds);
  const byPhoto = Map.groupBy(rows, (row) => row.photoId);
  return photoIds.map((id) => byPhoto.get(id) ?? []);
});

const loadSelected = perContext<GraphQLContext, Restoration | null>(async (context, photoIds) => {
  const rows = await context.services.restorations.selectedOf(context, photoIds);
  const byPhoto = new Map(rows.map((row) => [row.photoId, row]));
  return photoIds.map((id) => byPhoto.get(id) ?? null);
});

/** Of rows whose photos have been read with their page, so that a row resolves without a promise. */
const photoAtHand = new WeakMap<ListedRestoration, Photo>();

async function readPhotosOf(context: GraphQLContext, rows: readonly ListedRestoration[]): Promise<void> {
  const ids = [...new Set(rows.map(({ photoId }) => photoId))];
  const photos = new Map((await context.services.photos.ownMany(context, ids)).map((photo) => [photo?.id, photo]));
  for (const row of rows) {
    const photo = photos.get(row.photoId);
    if (photo != null) photoAtHand.set(row, photo);
  }
}

async function photoOf(context: GraphQLContext, { photoId }: ListedRestoration): Promise<Photo> {
  const photo = await loadPhoto(context, photoId);
  if (photo === null) throw new AppError('NOT_FOUND', 'The photo has been deleted.');
  return photo;
}

/** With what a list has left out. */
async function wholeOf(context: GraphQLContext, id: string): Promise<Restoration> {
  const restoration = await loadRestoration(context, id);
  if (restoration === null) throw new AppError('NOT_FOUND', 'The restoration has been deleted.');
  return restoration;
}

export const RestorationRef = builder.objectRef<ListedRestoration>('Restoration');
builder.node(RestorationRef, {
  description: 'One attempt at one photo with one model.',
  id: { description: 'Global id.', resolve: (restoration) => restoration.id },
  loadOne: (id, context) => loadRestoration(context, id),
  fields: (t) => ({
    photo: t.field({
      type: PhotoRef,
      description: 'What it was made from.',
      resolve: (restoration, _args, context) => photoAtHand.get(restoration) ?? photoOf(context, restoration),
    }),
    model: t.field({
      type: ModelRef,
      nullable: true,
      description: 'What it is made with; null when that model has been taken out since.',
      resolve: ({ modelId }, _args, { services }) => services.models.byId(modelId),
    }),
    modelId: t.exposeString('modelId', { description: 'The name of that model.' }),
    options: t.field({
      type: OptionsRef,
      description: 'How it was asked for, defaults filled in.',
      resolve: ({ id, options }, _args, context) => options ?? wholeOf(context, id).then((whole) => whole.options),
    }),
    status: t.expose('status', { type: StatusEnum, description: 'Where it stands.' }),
    stage: t.expose('stage', {
      type: StageEnum,
      nullable: true,
      description: 'What is being done; null when nothing is.',
    }),
    percent: t.exposeFloat('percent', { description: '0 to 100, from real work; never goes back within one try.' }),
    etaSeconds: t.int({
      nullable: true,
      description: 'Seconds until the end, once there is a base for it.',
      resolve: ({ id, status }, _args, { services }) =>
        status === 'RUNNING' ? (services.progress.get(id)?.etaSeconds ?? null) : null,
    }),
    attempts: t.exposeInt('attempts', { description: 'Tries begun so far.' }),
    runs: t.field({
      type: [RunRef],
      description: 'The tries, first one first.',
      resolve: ({ id }, _args, context) => loadRuns(context, id),
    }),
    queuedAt: t.expose('queuedAt', {
      type: 'DateTime',
      description: 'When it was submitted, or retried by its owner.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the present or last try began.',
    }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime', nullable: true, description: 'When it ended.' }),
    durationMs: t.int({
      nullable: true,
      description: 'How long the last try took.',
      resolve: ({ startedAt, finishedAt }) =>
        startedAt && finishedAt && Math.max(0, finishedAt.getTime() - startedAt.getTime()),
    }),
    report: t.field({
      type: ReportRef,
      nullable: true,
      description: 'What was done and why, and whether it did harm; null until it has succeeded.',
      resolve: async ({ id, report }, _args, context) => {
        const stored = report === undefined ? (await wholeOf(context, id)).report : report;
        return stored && readReport(stored);
      },
    }),
    width: t.exposeInt('width', { nullable: true, description: 'Pixels of the result.' }),
    height: t.exposeInt('height', { nullable: true, description: 'Pixels of the result.' }),
    bytes: t.expose('bytes', { type: 'BigInt', nullable: true, description: 'Size of the result.' }),
    format: t.exposeString('format', { nullable: true, description: 'jpeg, png or webp.' }),
    sha256: t.exposeString('sha256', { nullable: true, description: 'SHA-256 of the result, in hex.' }),
    url: t.field({
      type: 'URL',
      nullable: true,
      description: 'A signed link to the result; null until there is one.',
      args: { expiresIn: t.arg.int(expiresInArg), download: t.arg.boolean({ description: 'Save instead of show.' }) },
      resolve: ({ id, storageKey }, { expiresIn, download }, context) =>
        storageKey && linkTo(context, { kind: 'restorations', id, variant: 'file' }, { expiresIn, download }),
    }),
    renditions: t.field({
      type: [RenditionRef],
      description: 'Smaller copies of the result, smallest first; empty until there is one.',
      resolve: async ({ id }, _args, context) =>
        (await loadRenditions(context, id)).map((row) => ({ ...row, kind: 'restorations' as const })),
    }),
    rendition: t.field({
      type: RenditionRef,
      nullable: true,
      description: 'One size of the result, made now where it is missing; null until there is a result.',
      args: { name: t.arg({ type: RenditionNameEnum, required: true, description: 'Which size.' }) },
      resolve: async (restoration, { name }, context) => {
        const made = (await loadRenditions(context, restoration.id)).find((row) => row.name === name);
        const row = made ?? (await context.services.restorations.rendition(context, restoration, name));
        return row && { ...row, kind: 'restorations' as const };
      },
    }),
    error: t.field({
      type: ErrorRef,
      nullable: true,
      description: 'Why it failed; null when it did not.',
      resolve: ({ errorCode: code, errorMessage, errorRetryAfter: retryAfter, errorProvider: provider }) =>
        code && { code, message: errorMessage ?? '', retryAfter, provider },
    }),
  }),
});

builder.objectFields(PhotoRef, (t) => ({
  restorations: t.field({
    type: [RestorationRef],
    description: `The newest ${ATTEMPTS_SHOWN} attempts at this photo, newest first; the history has them all.`,
    resolve: ({ id }, _args, context) => loadOfPhoto(context, id),
  }),
  selected: t.field({
    type: RestorationRef,
    nullable: true,
    description: 'The attempt its owner chose; the newest success until then.',
    resolve: ({ id }, _args, context) => loadSelected(context, id),
  }),
}));

const HistoryFilterInput = builder.inputType('HistoryFilter', {
  description: 'Narrows the history.',
  fields: (t) => ({
    status: t.field({ type: [StatusEnum], description: 'Only these.' }),
    modelId: t.string({ description: 'Only those made with this model.' }),
    scope: t.field({ type: ScopeEnum, defaultValue: 'ACCOUNT', description: 'Account or session.' }),
    from: t.field({ type: 'DateTime', description: 'Submitted at or after this moment.' }),
    to: t.field({ type: 'DateTime', description: 'Submitted before this moment.' }),
    search: t.string({ description: 'Part of the file name of the photo.' }),
  }),
});

builder.objectField(ViewerRef, 'history', (t) =>
  t.connection(
    {
      type: RestorationRef,
      description: 'The restorations of this user.',
      args: {
        filter: t.arg({ type: HistoryFilterInput, description: 'Narrows the list.' }),
        orderBy: t.arg({ type: ListOrderEnum, defaultValue: 'NEWEST_FIRST', description: 'Its order.' }),
      },
      resolve: async (_viewer, { filter, orderBy, ...args }, context, info) => {
        const newestFirst = orderBy !== 'OLDEST_FIRST';
        const page = await context.services.restorations.history(context, args, filter ?? {}, newestFirst);
        if (selects(info, 'photo')) await readPhotosOf(context, page.rows);
        return toConnection(page);
      },
    },
    { name: 'RestorationConnection', description: 'A page of restorations.' },
    { name: 'RestorationEdge', description: 'A restoration and its place in the list.' },
  ),
);

builder.queryField('restoration', (t) =>
  t.field({
    type: RestorationRef,
    nullable: true,
    description: 'One of your restorations; null when it does not exist or is not yours.',
    args: { id: t.arg.id({ required: true, description: 'Global id.' }) },
    resolve: (_root, { id }, context) => context.services.restorations.find(context, localId('Restoration', id)),
  }),
);
