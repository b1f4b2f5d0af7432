import {
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { AppError } from '../errors.ts';

/** Rows of a list that says no size, as the API's default page. */
const DEFAULT_ROWS = 20;

export interface CostInput {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

function rowsOf(field: FieldNode, type: GraphQLNamedType, variables: CostInput['variables']): number {
  const asked = (field.arguments ?? [])
    .filter(({ name }) => name.value === 'first' || name.value === 'last')
    .map(({ value }) => {
      if (value.kind === Kind.INT) return Number(value.value);
      return value.kind === Kind.VARIABLE ? Number(variables?.[value.name.value] ?? DEFAULT_ROWS) : 1;
    })
    .filter((rows) => rows > 0);
  if (asked.length > 0) return Math.max(...asked);
  return type.name.endsWith('Connection') ? DEFAULT_ROWS : 1;
}

function fieldType(parent: GraphQLNamedType, name: string): GraphQLNamedType | undefined {
  if (!isObjectType(parent) && !isInterfaceType(parent)) return undefined;
  const field = parent.getFields()[name];
  return field && getNamedType(field.type);
}

/**
 * How many values the chosen operation can return at most: a field counts one, and what is below a list counts once
 * for each row that `first` or `last` asks for, written out or as a variable. Introspection counts one.
 * A fragment is measured once, so that fragments within fragments cost no time.
 */
export function costOf({ schema, document, operationName, variables }: CostInput): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  let operation: OperationDefinitionNode | undefined;
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
    else if (
      definition.kind === Kind.OPERATION_DEFINITION &&
      (!operationName || definition.name?.value === operationName)
    )
      operation = definition;
  }
  const measured = new Map<string, number>();

  function ofFragment(name: string): number {
    const known = measured.get(name);
    if (known !== undefined) return known;
    measured.set(name, 0);
    const fragment = fragments.get(name);
    const type = fragment && schema.getType(fragment.typeCondition.name.value);
    const cost = fragment && type ? ofSelections(fragment.selectionSet, type) : 0;
    measured.set(name, cost);
    return cost;
  }

  function ofSelections({ selections }: SelectionSetNode, parent: GraphQLNamedType): number {
    let cost = 0;
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) cost += ofFragment(selection.name.value);
      else if (selection.kind === Kind.INLINE_FRAGMENT) {
        const type = selection.typeCondition ? schema.getType(selection.typeCondition.name.value) : parent;
        cost += ofSelections(selection.selectionSet, isObjectType(type) || isAbstractType(type) ? type : parent);
      } else {
        cost += 1;
        const type = fieldType(parent, selection.name.value);
        if (selection.selectionSet && type) {
          cost += rowsOf(selection, type, variables) * ofSelections(selection.selectionSet, type);
        }
      }
    }
    return cost;
  }

  const root = operation && schema.getRootType(operation.operation);
  return operation && root ? ofSelections(operation.selectionSet, root) : 0;
}

/** @throws AppError GRAPHQL_VALIDATION_FAILED when the operation costs more than `limit`. */
export function assertCost(input: CostInput, limit: number): void {
  const cost = costOf(input);
  if (cost <= limit) return;
  throw new AppError(
    'GRAPHQL_VALIDATION_FAILED',
    `This query can return ${cost} values; the limit is ${limit}. Ask for fewer rows with "first", or for fewer fields.`,
  );
}
