import { builder } from '../graphql/builder.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import { perContext } from '../graphql/loader.ts';
import { expiresInArg, linkTo } from '../photos/rendition-schema.ts';
import type { Mask } from './entity.ts';
import { RestorationRef } from './schema.ts';

const MaskRef = builder.objectRef<Mask>('RestorationMask').implement({
  description:
    'Where a photo was repaired: a grey PNG of its size as displayed, white = damage, half grey = filled beside it, darker = mixed. Edit it, and send it back as ' +
    '`options.mask` to have just that repaired.',
  fields: (t) => ({
    url: t.field({
      type: 'URL',
      description: 'A signed link to the picture.',
      args: { expiresIn: t.arg.int(expiresInArg), download: t.arg.boolean({ description: 'Save instead of show.' }) },
      resolve: ({ restorationId: id }, { expiresIn, download }, context) =>
        linkTo(context, { kind: 'restorations', id, variant: 'mask' }, { expiresIn, download }),
    }),
    width: t.exposeInt('width', { description: 'Pixels.' }),
    height: t.exposeInt('height', { description: 'Pixels.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Size of the file.' }),
    coverage: t.exposeFloat('coverage', { description: 'Share of the photo that it marks, 0 to 1.' }),
    own: t.exposeBoolean('own', { description: 'True when you have sent it, false when it was found.' }),
  }),
});

const loadMask = perContext<GraphQLContext, Mask | null>(async (context, ids) => {
  const rows = await context.services.masks.of(context.em, ids);
  const byRestoration = new Map(rows.map((row) => [row.restorationId, row]));
  return ids.map((id) => byRestoration.get(id) ?? null);
});

builder.objectField(RestorationRef, 'mask', (t) =>
  t.field({
    type: MaskRef,
    nullable: true,
    description: 'Where the photo was repaired, or is to be by the mask you have sent; null where nothing was.',
    resolve: ({ id }, _args, context) => loadMask(context, id),
  }),
);
