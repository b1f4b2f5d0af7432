import { builder } from '../graphql/builder.ts';
import { localId } from '../graphql/global-id.ts';
import type { Photo } from './entity.ts';
import { PhotoRef } from './schema.ts';
import { MAX_PHOTOS_AT_ONCE } from './service.ts';

const UploadPhotoInput = builder.inputType('UploadPhotoInput', {
  description: 'What uploadPhoto takes.',
  fields: (t) => ({
    file: t.field({ type: 'Upload', required: true, description: 'JPEG, PNG, WebP, TIFF, GIF, AVIF or BMP.' }),
  }),
});

const UploadPhotoPayload = builder.objectRef<{ photo: Photo }>('UploadPhotoPayload').implement({
  description: 'What uploadPhoto answers.',
  fields: (t) => ({
    photo: t.expose('photo', {
      type: PhotoRef,
      description: 'The photo; the one that was there when its bytes are the same.',
    }),
  }),
});

const DeletePhotoInput = builder.inputType('DeletePhotoInput', {
  description: 'What deletePhoto takes.',
  fields: (t) => ({ id: t.id({ required: true, description: 'Global id of the photo.' }) }),
});

const DeletePhotoPayload = builder.objectRef<{ deletedPhotoId: string }>('DeletePhotoPayload').implement({
  description: 'What deletePhoto answers.',
  fields: (t) => ({ deletedPhotoId: t.exposeID('deletedPhotoId', { description: 'The id that was given.' }) }),
});

const DeletePhotosInput = builder.inputType('DeletePhotosInput', {
  description: 'What deletePhotos takes.',
  fields: (t) => ({ ids: t.idList({ required: true, description: `Up to ${MAX_PHOTOS_AT_ONCE} global ids.` }) }),
});

const DeletePhotosPayload = builder.objectRef<{ deletedPhotoIds: string[] }>('DeletePhotosPayload').implement({
  description: 'What deletePhotos answers.',
  fields: (t) => ({ deletedPhotoIds: t.exposeIDList('deletedPhotoIds', { description: 'The ids that were given.' }) }),
});

builder.mutationFields((t) => ({
  uploadPhoto: t.field({
    type: UploadPhotoPayload,
    description: 'Stores a photo without restoring it.',
    args: { input: t.arg({ type: UploadPhotoInput, required: true, description: 'The file.' }) },
    resolve: async (_root, { input }, context) => ({
      photo: await context.services.photos.upload(context, input.file),
    }),
  }),
  deletePhoto: t.field({
    type: DeletePhotoPayload,
    description: 'Deletes a photo with all its restorations and files, also while one of them runs.',
    args: { input: t.arg({ type: DeletePhotoInput, required: true, description: 'Which photo.' }) },
    resolve: async (_root, { input }, context) => {
      await context.services.photos.delete(context, [localId('Photo', input.id)]);
      return { deletedPhotoId: input.id };
    },
  }),
  deletePhotos: t.field({
    type: DeletePhotosPayload,
    description: 'Deletes several photos at once; none when one of them is not yours.',
    args: { input: t.arg({ type: DeletePhotosInput, required: true, description: 'Which photos.' }) },
    resolve: async (_root, { input }, context) => {
      await context.services.photos.delete(
        context,
        input.ids.map((id) => localId('Photo', id)),
      );
      return { deletedPhotoIds: input.ids };
    },
  }),
}));
