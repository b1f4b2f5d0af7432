import { builder } from '../graphql/builder.ts';
import { localId } from '../graphql/global-id.ts';
import type { Photo } from '../photos/entity.ts';
import { PhotoRef } from '../photos/schema.ts';
import type { Restoration } from './entity.ts';
import { OptionsInput } from './options-schema.ts';
import { RestorationRef } from './schema.ts';

const RestorePhotoInput = builder.inputType('RestorePhotoInput', {
  description: 'What restorePhoto takes: `file` or `photoId`.',
  fields: (t) => ({
    file: t.field({ type: 'Upload', description: 'A new photo: JPEG, PNG, WebP, TIFF, GIF, AVIF or BMP.' }),
    photoId: t.id({ description: 'Global id of a photo that is there.' }),
    modelId: t.id({ description: 'Name of the model; the default one when left out.' }),
    options: t.field({ type: OptionsInput, description: 'How.' }),
    idempotencyKey: t.string({
      description: 'Your own key for this request: the same key gives the same restoration for 24 hours.',
    }),
  }),
});

const RestorePhotoPayload = builder
  .objectRef<{ photo: Photo; restoration: Restoration }>('RestorePhotoPayload')
  .implement({
    description: 'What restorePhoto answers, as soon as the restoration is queued.',
    fields: (t) => ({
      photo: t.expose('photo', {
        type: PhotoRef,
        description: 'The photo; the one that was there when its bytes are the same.',
      }),
      restoration: t.expose('restoration', { type: RestorationRef, description: 'Follow it with restorationUpdated.' }),
    }),
  });

builder.mutationField('restorePhoto', (t) =>
  t.field({
    type: RestorePhotoPayload,
    description: 'Restores a photo: stores it where it is new, queues the work, and answers at once.',
    args: { input: t.arg({ type: RestorePhotoInput, required: true, description: 'What and how.' }) },
    resolve: (_root, { input }, context) =>
      context.services.submit(context, {
        file: input.file ?? undefined,
        photoId: input.photoId == null ? undefined : localId('Photo', input.photoId),
        modelId: input.modelId ?? undefined,
        options: input.options ?? undefined,
        idempotencyKey: input.idempotencyKey ?? undefined,
      }),
  }),
);

/** `name(input: { id }): { restoration }`: the shape of everything that is done to one restoration. */
function onRestoration(name: 'cancel' | 'retry' | 'select', descriptions: { mutation: string; payload: string }) {
  const title = `${name[0]?.toUpperCase()}${name.slice(1)}Restoration`;
  const input = builder.inputType(`${title}Input`, {
    description: `What ${name}Restoration takes.`,
    fields: (t) => ({ id: t.id({ required: true, description: 'Global id of the restoration.' }) }),
  });
  const payload = builder.objectRef<{ restoration: Restoration }>(`${title}Payload`).implement({
    description: `What ${name}Restoration answers.`,
    fields: (t) => ({
      restoration: t.expose('restoration', { type: RestorationRef, description: descriptions.payload }),
    }),
  });
  builder.mutationField(`${name}Restoration`, (t) =>
    t.field({
      type: payload,
      description: descriptions.mutation,
      args: { input: t.arg({ type: input, required: true, description: 'Which one.' }) },
      resolve: async (_root, args, context) => ({
        restoration: await context.services.restorations[name](context, localId('Restoration', args.input.id)),
      }),
    }),
  );
}

onRestoration('cancel', {
  mutation: 'Stops one restoration, waiting or running. CONFLICT when it has ended.',
  payload: 'The restoration, now CANCELLED.',
});
onRestoration('retry', {
  mutation: 'Queues a failed or cancelled restoration again. CONFLICT for any other.',
  payload: 'The restoration, now QUEUED.',
});
onRestoration('select', {
  mutation: 'Makes a restoration the one that its photo shows. CONFLICT when it has no result.',
  payload: 'The restoration.',
});

const DeleteRestorationInput = builder.inputType('DeleteRestorationInput', {
  description: 'What deleteRestoration takes.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Global id of the restoration.' }) }),
});

const DeleteRestorationPayload = builder
  .objectRef<{ deletedRestorationId: string }>('DeleteRestorationPayload')
  .implement({
    description: 'What deleteRestoration answers.',
    fields: (t) => ({
      deletedRestorationId: t.exposeID('deletedRestorationId', { description: 'The id that was given.' }),
    }),
  });

builder.mutationField('deleteRestoration', (t) =>
  t.field({
    type: DeleteRestorationPayload,
    description: 'Deletes a restoration with its files, also while it runs. The photo stays.',
    args: { input: t.arg({ type: DeleteRestorationInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, context) => {
      await context.services.restorations.delete(context, localId('Restoration', input.id));
      return { deletedRestorationId: input.id };
    },
  }),
);
