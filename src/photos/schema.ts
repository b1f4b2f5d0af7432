import { ViewerRef } from '../auth/schema.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import { localId } from '../graphql/global-id.ts';
import { perContext } from '../graphql/loader.ts';
import type { Photo } from './entity.ts';
import { expiresInArg, linkTo, loadRenditions, RenditionNameEnum, RenditionRef } from './rendition-schema.ts';
import { MAX_PHOTOS_AT_ONCE } from './service.ts';

/** The actor's own photos by id, many in one query; null where one is missing or somebody else's. */
export const loadPhoto = perContext<GraphQLContext, Photo | null>((context, ids) =>
  context.services.photos.ownMany(context, ids),
);

export const PhotoRef = builder.objectRef<Photo>('Photo');
builder.node(PhotoRef, {
  description: 'An uploaded original. It is never altered.',
  id: { description: 'Global id.', resolve: (photo) => photo.id },
  loadOne: (id, context) => loadPhoto(context, id),
  fields: (t) => ({
    originalFilename: t.exposeString('originalFilename', {
      description: 'What its owner called it, cleaned for showing.',
    }),
    format: t.exposeString('format', {
      description: 'jpeg, png, webp, tiff, gif, avif or bmp: by its content, not by its name.',
    }),
    width: t.exposeInt('width', { description: 'Pixels, as displayed (upright).' }),
    height: t.exposeInt('height', { description: 'Pixels, as displayed (upright).' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Size of the file.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the file, in hex.' }),
    dominantColor: t.exposeString('dominantColor', { description: 'The most frequent colour, as #rrggbb.' }),
    thumbhash: t.exposeString('thumbhash', {
      description: 'A blurred preview in about 25 bytes, base64 (evanw/thumbhash).',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was uploaded.' }),
    url: t.field({
      type: 'URL',
      nullable: true,
      description: 'A signed link to the original, byte for byte.',
      args: { expiresIn: t.arg.int(expiresInArg), download: t.arg.boolean({ description: 'Save instead of show.' }) },
      resolve: ({ id }, { expiresIn, download }, context) =>
        linkTo(context, { kind: 'photos', id, variant: 'file' }, { expiresIn, download }),
    }),
    renditions: t.field({
      type: [RenditionRef],
      description: 'The sizes that have been made, smallest first; empty until they are, a moment after the upload.',
      resolve: async ({ id }, _args, context) =>
        (await loadRenditions(context, id)).map((row) => ({ ...row, kind: 'photos' as const })),
    }),
    rendition: t.field({
      type: RenditionRef,
      nullable: true,
      description: 'One size, made now where it is missing (ORIGINAL is only ever made this way).',
      args: { name: t.arg({ type: RenditionNameEnum, required: true, description: 'Which size.' }) },
      resolve: async (photo, { name }, context) => {
        const made = (await loadRenditions(context, photo.id)).find((row) => row.name === name);
        const row = made ?? (await context.services.photos.rendition(context, photo, name));
        return row && { ...row, kind: 'photos' as const };
      },
    }),
  }),
});

export const ScopeEnum = builder.enumType('Scope', {
  description: 'Whose things a list holds.',
  values: {
    ACCOUNT: { description: 'Everything of the user.' },
    SESSION: { description: 'Only what came in by this session.' },
  },
});

export const ListOrderEnum = builder.enumType('ListOrder', {
  description: 'The order of a list.',
  values: {
    NEWEST_FIRST: { description: 'By time, latest first.' },
    OLDEST_FIRST: { description: 'By time, earliest first.' },
  },
});

const PhotoFilterInput = builder.inputType('PhotoFilter', {
  description: 'Narrows a list of photos.',
  fields: (t) => ({
    scope: t.field({ type: ScopeEnum, defaultValue: 'ACCOUNT', description: 'Account or session.' }),
    from: t.field({ type: 'DateTime', description: 'Uploaded at or after this moment.' }),
    to: t.field({ type: 'DateTime', description: 'Uploaded before this moment.' }),
    search: t.string({ description: 'Part of the file name.' }),
  }),
});

builder.objectField(ViewerRef, 'photos', (t) =>
  t.connection(
    {
      type: PhotoRef,
      description: 'The photos of this user.',
      args: {
        filter: t.arg({ type: PhotoFilterInput, description: 'Narrows the list.' }),
        orderBy: t.arg({ type: ListOrderEnum, defaultValue: 'NEWEST_FIRST', description: 'Its order.' }),
      },
      resolve: async (_viewer, { filter, orderBy, ...args }, context) =>
        toConnection(await context.services.photos.page(context, args, filter ?? {}, orderBy !== 'OLDEST_FIRST')),
    },
    { name: 'PhotoConnection', description: 'A page of photos.' },
    { name: 'PhotoEdge', description: 'A photo and its place in the list.' },
  ),
);

builder.queryFields((t) => ({
  photo: t.field({
    type: PhotoRef,
    nullable: true,
    description: 'One of your photos; null when it does not exist or is not yours.',
    args: { id: t.arg.id({ required: true, description: 'Global id.' }) },
    resolve: (_root, { id }, context) => context.services.photos.find(context, localId('Photo', id)),
  }),
  photos: t.field({
    type: [PhotoRef],
    nullable: { list: false, items: true },
    description: `Several of your photos at once, up to ${MAX_PHOTOS_AT_ONCE}, in order; null where one does not exist or is not yours.`,
    args: { ids: t.arg.idList({ required: true, description: 'Global ids.' }) },
    resolve: (_root, { ids }, context) =>
      context.services.photos.several(
        context,
        ids.map((id) => localId('Photo', id)),
      ),
  }),
}));
