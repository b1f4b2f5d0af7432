import SchemaBuilder from '@pothos/core';
import RelayPlugin from '@pothos/plugin-relay';
import { isId } from '../db/ids.ts';
import { PAGE_DEFAULT, PAGE_MAX } from '../db/keyset.ts';
import { AppError } from '../errors.ts';
import type { IncomingFile } from '../storage/spool.ts';
import type { GraphQLContext } from './context.ts';
import { decodeGlobalId } from './global-id.ts';

/** The types that the scalars of `scalars.ts` have in TypeScript. */
type ScalarTypes = {
  ID: { Input: string; Output: string };
  DateTime: { Input: Date; Output: Date };
  URL: { Input: URL; Output: URL | string };
  JSONObject: { Input: Record<string, unknown>; Output: Record<string, unknown> };
  NonNegativeInt: { Input: number; Output: number };
  BigInt: { Input: number | bigint; Output: number | bigint };
  Upload: { Input: Promise<IncomingFile>; Output: never };
};

/** Every type of the schema is hung onto this builder; `schema.ts` calls `toSchema()` on it. */
export const builder = new SchemaBuilder<{
  Context: GraphQLContext;
  DefaultFieldNullability: false;
  Scalars: ScalarTypes;
  Connection: { totalCount: () => Promise<number> };
}>({
  defaultFieldNullability: false,
  plugins: [RelayPlugin],
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    decodeGlobalID: decodeGlobalId,
    nodeTypeOptions: { description: 'Anything that can be fetched again by its id.' },
    idFieldOptions: { description: 'Global id.' },
    pageInfoTypeOptions: { description: 'Where this page stands in the list.' },
    hasNextPageFieldOptions: { description: 'Whether more follows this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether something stands before this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first item of this page; null when it is empty.' },
    endCursorFieldOptions: { description: 'Cursor of the last item of this page; null when it is empty.' },
    firstArgOptions: {
      description: `How many from the start: 0 to ${PAGE_MAX}; ${PAGE_DEFAULT} when neither is given.`,
    },
    afterArgOptions: { description: 'Only what follows this cursor.' },
    lastArgOptions: { description: `How many from the end: 0 to ${PAGE_MAX}.` },
    beforeArgOptions: { description: 'Only what stands before this cursor.' },
    edgesFieldOptions: { description: 'The items of this page with their cursors.' },
    pageInfoFieldOptions: { description: 'Where this page stands in the list.' },
    cursorFieldOptions: { description: 'Place of the item: give it as `after` or `before`.' },
    nodeFieldOptions: { description: 'The item.' },
    // Own fields below: Relay's would fail the whole query for one malformed id.
    nodeQueryOptions: false,
    nodesQueryOptions: false,
  },
});

builder.globalConnectionField('totalCount', (t) =>
  t.field({
    type: 'NonNegativeInt',
    description: 'How many there are in all, filters applied. Counted only when it is asked for.',
    resolve: (connection) => connection.totalCount(),
  }),
);

builder.queryType({ description: 'Everything that can be read.' });
builder.mutationType({ description: 'Everything that can be done. What needs arguments takes them as one `input`.' });
builder.subscriptionType({
  description: 'Everything that can be followed live, over WebSocket (graphql-transport-ws) or server-sent events.',
});

const NODE_TYPES = new Set(['User', 'Session', 'Photo', 'Restoration']);

/** The id, when it can belong to something; null otherwise, as for what does not exist. */
function known(globalId: string): string | null {
  const { typename, id } = decodeGlobalId(globalId);
  return NODE_TYPES.has(typename) && isId(id) ? globalId : null;
}

builder.queryFields((t) => ({
  node: t.node({
    description: 'Anything by its id; null when it does not exist or is not yours.',
    args: { id: t.arg.id({ required: true, description: 'Global id.' }) },
    id: (_root, { id }) => known(id),
  }),
  nodes: t.nodeList({
    description: 'Several things by their ids, in order; null where one does not exist or is not yours.',
    args: { ids: t.arg.idList({ required: true, description: 'Global ids, up to 100.' }) },
    ids: (_root, { ids }) => {
      if (ids.length > PAGE_MAX)
        throw new AppError('BAD_USER_INPUT', `No more than ${PAGE_MAX} ids at once.`, { field: 'ids' });
      return ids.map(known);
    },
  }),
}));
