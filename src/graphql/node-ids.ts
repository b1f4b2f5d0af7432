import { isInterfaceType, type GraphQLSchema } from 'graphql';
import { encodeGlobalId } from './global-id.ts';

/**
 * Lets every node's `id` resolve at once. The Relay plugin's resolver is an async function, which makes a chain of
 * promises out of each row of a list.
 */
export function resolveIdsAtOnce(schema: GraphQLSchema): GraphQLSchema {
  const node = schema.getType('Node');
  if (!isInterfaceType(node)) return schema;
  for (const type of schema.getPossibleTypes(node)) {
    const { id } = type.getFields();
    if (id !== undefined) id.resolve = (row: { id: string }) => encodeGlobalId(type.name, row.id);
  }
  return schema;
}
