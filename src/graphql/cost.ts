import {
  getNamedType,
  getNullableType,
  isAbstractType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { AppError } from '../errors.ts';

/** Rows of a list that says no size, as the API's default page. */
const DEFAULT_ROWS = 20;

/** … of those that are often longer, by field. */
const LONG_LISTS: Readonly<Record<string, number>> = { restorations: 100 };

/** What a field costs beyond its value, by field, argument and value: here a file is made, about a second of work. */
const WORK: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>> = {
  rendition: { name: { ORIGINAL: 1000 } },
};

export interface CostInput {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
}

/** What a value node stands for; of a literal only what is counted here: numbers, names and the length of lists. */
type ReadValue = (node: ValueNode) => unknown;

function createReadValue(operation: OperationDefinitionNode, variables: CostInput['variables']): ReadValue {
  const defaults = new Map(
    (operation.variableDefinitions ?? []).map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
  );
  return function read(node): unknown {
    if (node.kind === Kind.INT) return Number(node.value);
    if (node.kind === Kind.ENUM || node.kind === Kind.STRING) return node.value;
    if (node.kind === Kind.LIST) return node.values;
    if (node.kind !== Kind.VARIABLE) return undefined;
    const given = variables?.[node.name.value];
    const otherwise = defaults.get(node.name.value);
    return given === undefined && otherwise !== undefined ? read(otherwise) : given;
  };
}

/** Rows below a field. The `edges` of a connection count with the connection. */
function rowsOf(field: FieldNode, type: GraphQLOutputType, parent: GraphQLNamedType, read: ReadValue): number {
  const asked: number[] = [];
  for (const { name, value } of field.arguments ?? []) {
    const given = read(value);
    if (name.value === 'ids') asked.push(Array.isArray(given) ? given.length : 1);
    else if ((name.value === 'first' || name.value === 'last') && Number(given) > 0) asked.push(Number(given));
  }
  if (asked.length > 0) return Math.max(...asked);
  if (parent.name.endsWith('Connection')) return 1;
  if (Object.hasOwn(LONG_LISTS, field.name.value)) return LONG_LISTS[field.name.value] ?? DEFAULT_ROWS;
  return isListType(getNullableType(type)) || getNamedType(type).name.endsWith('Connection') ? DEFAULT_ROWS : 1;
}

function workOf(field: FieldNode, read: ReadValue): number {
  const byArgument = Object.hasOwn(WORK, field.name.value) ? WORK[field.name.value] : undefined;
  if (byArgument === undefined) return 0;
  return (field.arguments ?? []).reduce(
    (sum, { name, value }) => sum + (byArgument[name.value]?.[String(read(value))] ?? 0),
    0,
  );
}

function typeOf(parent: GraphQLNamedType, name: string): GraphQLOutputType | undefined {
  return isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name]?.type : undefined;
}

/**
 * What the chosen operation may cost, in values of the answer. A field counts one, and more where it has to make
 * something. What is below a list counts once for each row: as many as `first`, `last` or the length of `ids` ask for,
 * written out or as a variable; a list that says no size is taken to have 20, and one of restorations its most, 100. A
 * list of scalars counts one, and so does introspection.
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
  const root = operation && schema.getRootType(operation.operation);
  if (operation === undefined || !root) return 0;
  const read = createReadValue(operation, variables);
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

  function ofField(field: FieldNode, parent: GraphQLNamedType): number {
    const type = typeOf(parent, field.name.value);
    const own = 1 + workOf(field, read);
    if (field.selectionSet === undefined || type === undefined) return own;
    return own + rowsOf(field, type, parent, read) * ofSelections(field.selectionSet, getNamedType(type));
  }

  function ofSelections({ selections }: SelectionSetNode, parent: GraphQLNamedType): number {
    let cost = 0;
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) cost += ofFragment(selection.name.value);
      else if (selection.kind === Kind.FIELD) cost += ofField(selection, parent);
      else {
        const type = selection.typeCondition ? schema.getType(selection.typeCondition.name.value) : parent;
        cost += ofSelections(selection.selectionSet, isObjectType(type) || isAbstractType(type) ? type : parent);
      }
    }
    return cost;
  }

  return ofSelections(operation.selectionSet, root);
}

/** @throws AppError GRAPHQL_VALIDATION_FAILED when the operation costs more than `limit`. */
export function assertCost(input: CostInput, limit: number): void {
  const cost = costOf(input);
  if (cost <= limit) return;
  throw new AppError(
    'GRAPHQL_VALIDATION_FAILED',
    `This query can cost ${cost}; the limit is ${limit}. Ask for fewer rows with "first", or for fewer fields.`,
  );
}
