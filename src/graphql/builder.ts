import SchemaBuilder from '@pothos/core';
import RelayPlugin from '@pothos/plugin-relay';
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
    pageInfoTypeOptions: { description: 'Where this page stands in the list.' },
    nodeQueryOptions: {
      description: 'Anything by its id; null when it does not exist or is not yours.',
      resolve: (_root, { id }, _context, _info, resolveNode) => (id.typename === '' ? null : resolveNode(id)),
    },
    nodesQueryOptions: {
      description: 'Several things by their ids, in order; null where one does not exist or is not yours.',
      resolve: async (_root, { ids }, _context, _info, resolveNodes) => {
        const known = await resolveNodes(ids.filter((id) => id.typename !== ''));
        let next = 0;
        return ids.map((id) => (id.typename === '' ? null : known[next++]));
      },
    },
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
builder.mutationType({ description: 'Everything that can be done. One `input` argument each.' });
builder.subscriptionType({
  description: 'Everything that can be followed live, over WebSocket (graphql-transport-ws) or server-sent events.',
});
