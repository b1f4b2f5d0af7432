import { Kind, type GraphQLResolveInfo, type SelectionSetNode } from 'graphql';

type Asked = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>;

/**
 * Whether a field of this name stands anywhere below the field that is being resolved. It may say yes too often (another
 * type's field, one that `@skip` leaves out), so it decides only what is worth reading ahead.
 */
export function selects({ fieldNodes, fragments }: Asked, name: string): boolean {
  const followed = new Set<string>();
  function isIn(selectionSet: SelectionSetNode | undefined): boolean {
    return (selectionSet?.selections ?? []).some((selection) => {
      if (selection.kind !== Kind.FRAGMENT_SPREAD) {
        return (selection.kind === Kind.FIELD && selection.name.value === name) || isIn(selection.selectionSet);
      }
      const fragment = selection.name.value;
      if (followed.has(fragment)) return false;
      followed.add(fragment);
      return isIn(fragments[fragment]?.selectionSet);
    });
  }
  return fieldNodes.some((field) => isIn(field.selectionSet));
}
