import { builder } from '../graphql/builder.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import { perContext } from '../graphql/loader.ts';
import { RENDITIONS, type RenditionName } from '../imaging/renditions.ts';
import type { LinkOptions } from '../storage/links.ts';
import type { Rendition } from './entity.ts';

const NAMES = Object.keys(RENDITIONS) as RenditionName[];

export const RenditionNameEnum = builder.enumType('RenditionName', {
  description: 'The sizes a picture is kept in, as WebP without metadata. None is ever enlarged.',
  values: Object.fromEntries(
    NAMES.map((name) => [name, { description: `At most ${RENDITIONS[name].side} pixels on the long side.` }]),
  ) as { [K in RenditionName]: { description: string } },
});

/** Arguments of every field that makes a link. */
export const expiresInArg = {
  description:
    'Seconds the link is good for: 60 to 604800 (7 days). Rounded up to the hour, so that it stays the same.',
  defaultValue: 3600,
} as const;

/** A signed link to a file of a photo or a restoration. */
export function linkTo(
  context: GraphQLContext,
  file: { kind: 'photos' | 'restorations'; id: string; variant: string },
  options: LinkOptions = {},
): string {
  return context.baseUrl + context.services.links.sign(`${file.kind}/${file.id}/${file.variant}`, options);
}

/** What a rendition needs to know to link to itself. */
export interface LinkedRendition extends Rendition {
  kind: 'photos' | 'restorations';
}

export const RenditionRef = builder.objectRef<LinkedRendition>('Rendition').implement({
  description: 'A derived file: a smaller copy as WebP, upright, in sRGB.',
  fields: (t) => ({
    name: t.expose('name', { type: RenditionNameEnum, description: 'Which size it is.' }),
    url: t.field({
      type: 'URL',
      description: 'A signed link that an <img> can show.',
      args: { expiresIn: t.arg.int(expiresInArg) },
      resolve: ({ kind, ownerId, name }, { expiresIn }, context) =>
        linkTo(context, { kind, id: ownerId, variant: name.toLowerCase() }, { expiresIn }),
    }),
    width: t.exposeInt('width', { description: 'Pixels.' }),
    height: t.exposeInt('height', { description: 'Pixels.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Size of the file.' }),
  }),
});

/** Renditions of many owners in one query. */
export const loadRenditions = perContext<GraphQLContext, Rendition[]>(async (context, ownerIds) => {
  const rows = await context.services.renditions.of(context.em, ownerIds);
  const byOwner = Map.groupBy(rows, (row) => row.ownerId);
  return ownerIds.map((ownerId) => byOwner.get(ownerId) ?? []);
});
