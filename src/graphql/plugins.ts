import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import {
  BREAK,
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  validate,
  visit,
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import { isAsyncIterable, type GraphQLParams, type Plugin } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import { assertCost } from './cost.ts';
import type { Mask } from './mask.ts';
import type { ServerContext } from './server.ts';
import { limitSubscriptions } from './subscription-cost.ts';
import { shareEvents } from './shared-events.ts';

/** What one operation may ask for. */
export const OPERATION_LIMITS = {
  /** Levels of fields; fragments add none. */
  depth: 12,
  /**
   * See `costOf`: a page of 50 photos fits, each with 100 restorations of 19 fields. The dearest of plain fields is
   * answered with 2.4 MB within half a second.
   */
  cost: 100_000,
  /** The same of all open subscriptions of one user together. */
  subscriptionsCost: 50_000,
  aliases: 30,
  directives: 50,
  tokens: 1000,
  /** Characters of the document. */
  characters: 15_000,
  /** Times that one selection set may name the same field. */
  repeats: 50,
  /** What is told of one document at once; each error costs time, and says little after the first ones. */
  errors: 5,
  /** Levels of the variables. */
  variableDepth: 32,
  /** Values in the variables, the keys of objects included. */
  variableValues: 10_000,
} as const;

/** U+0000 in a document, as it is or escaped. */
const NUL_IN_DOCUMENT = /\0|\\u0000|\\u\{0+\}/;

const refused = (message: string): AppError => new AppError('BAD_USER_INPUT', message);
// SQLite ends a text there, and no name or search has one.
const noNul = (): AppError => refused('Texts must not hold the character U+0000.');

/**
 * Walks variables, or another payload of a client, once, level by level; needs no stack. Files are promises, and are left
 * alone.
 *
 * @throws AppError BAD_USER_INPUT for what is nested too deep, holds too much or a U+0000.
 */
export function assertVariables(variables: unknown): void {
  const { variableDepth, variableValues } = OPERATION_LIMITS;
  let level: unknown[] = [variables];
  for (let depth = 0, seen = 0; level.length > 0; depth++) {
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string' && value.includes('\0')) throw noNul();
      if (typeof value !== 'object' || value === null || value instanceof Promise) continue;
      if (depth > variableDepth) throw refused(`Variables are nested more than ${variableDepth} levels deep.`);
      const inside: unknown[] = Array.isArray(value) ? value : Object.entries(value).flat();
      seen += inside.length;
      if (seen > variableValues) throw refused(`Variables hold more than ${variableValues} values.`);
      for (const item of inside) next.push(item);
    }
    level = next;
  }
}

/**
 * Refuses what is not worth parsing. Yoga caches documents by their text, so this also bounds what it keeps.
 *
 * @throws AppError GRAPHQL_VALIDATION_FAILED for a document, BAD_USER_INPUT for variables.
 */
export function assertParams({ query, variables }: GraphQLParams): void {
  if (typeof query === 'string' && query.length > OPERATION_LIMITS.characters) {
    throw new AppError(
      'GRAPHQL_VALIDATION_FAILED',
      `The document has ${query.length} characters; the limit is ${OPERATION_LIMITS.characters}.`,
    );
  }
  assertVariables(variables);
  if (typeof query === 'string' && NUL_IN_DOCUMENT.test(query)) throw noNul();
}

function limitParams(): Plugin {
  return { onParams: ({ params }) => assertParams(params) };
}

/** The first field that one selection set names too often: each is compared with each, and that takes its time. */
function findRepeated(document: DocumentNode, limit: number): FieldNode | undefined {
  let found: FieldNode | undefined;
  visit(document, {
    SelectionSet({ selections }) {
      const times = new Map<string, number>();
      for (const node of selections) {
        if (node.kind !== Kind.FIELD) continue;
        const { value } = node.alias ?? node.name;
        const count = (times.get(value) ?? 0) + 1;
        times.set(value, count);
        if (count <= limit) continue;
        found = node;
        return BREAK;
      }
      return undefined;
    },
  });
  return found;
}

/** Bounds what validating costs, and what it says. */
function limitValidation({ repeats, errors }: typeof OPERATION_LIMITS): Plugin {
  const validateWithin = (schema: GraphQLSchema, document: DocumentNode, rules?: readonly ValidationRule[]) => {
    const repeated = findRepeated(document, repeats);
    if (repeated !== undefined) {
      return [new GraphQLError(`Field repeats limit of ${repeats} exceeded.`, { nodes: repeated })];
    }
    return validate(schema, document, rules, { maxErrors: errors }).map((error) =>
      // How graphql-js says that it has given up; without a place it would be taken for the arguments' fault.
      error.message.endsWith('Validation aborted.') ? new GraphQLError(error.message, { nodes: document }) : error,
    );
  };
  return { onValidate: ({ setValidationFn }) => setValidationFn(validateWithin as typeof validate) };
}

function limitCost(limit: number): Plugin {
  type Args = { args: Parameters<typeof assertCost>[0] & { variableValues?: Record<string, unknown> | null } };
  const check = ({ args }: Args) => assertCost({ ...args, variables: args.variableValues }, limit);
  return { onExecute: check as never, onSubscribe: check as never };
}

function withoutIntrospection(): Plugin {
  return { onValidate: ({ addValidationRule }) => addValidationRule(NoSchemaIntrospectionCustomRule) };
}

type Result = { data?: unknown; errors?: readonly GraphQLError[] };

/** Masks every error on its way out over HTTP; the status of the table is used only where the answer has no data. */
function maskErrors(mask: Mask): Plugin<object, ServerContext> {
  return {
    onResultProcess({ result, setResult, serverContext }) {
      const clean = <T extends Result>(part: T): T => {
        if (part.errors === undefined) return part;
        const errors = part.errors.map((error) => mask(error, serverContext.facts));
        if (part.data !== null && part.data !== undefined) {
          for (const { extensions } of errors) delete (extensions['http'] as { status?: number } | undefined)?.status;
        }
        return { ...part, errors };
      };
      if (!isAsyncIterable(result)) setResult(Array.isArray(result) ? result.map(clean) : clean(result));
      else {
        const parts = result;
        setResult(
          (async function* () {
            for await (const part of parts) yield clean(part);
          })(),
        );
      }
    },
  };
}

export interface PluginOptions {
  readonly mask: Mask;
  /** Sets the request parsers: JSON and multipart bodies. */
  readonly bodies: Plugin<object, ServerContext>;
  readonly introspection: boolean;
}

/** The plugins in the order in which they run; they hold for HTTP, server-sent events and WebSockets alike. */
export function createPlugins({ mask, bodies, introspection }: PluginOptions): Plugin[] {
  const { depth, cost, aliases, directives, tokens } = OPERATION_LIMITS;
  return [
    // How bodies become parameters: Yoga's own parsers would hold whole uploads in memory.
    bodies as unknown as Plugin,
    // Before parsing: the size of the document and the nesting of the variables.
    limitParams(),
    // While parsing: tokens.
    maxTokensPlugin({ n: tokens }) as Plugin,
    // While validating: shape. Fragments count as what they contain; `__typename` counts like any alias.
    maxDepthPlugin({ n: depth, flattenFragments: true }) as Plugin,
    maxAliasesPlugin({ n: aliases, allowList: [] }) as Plugin,
    maxDirectivesPlugin({ n: directives }) as Plugin,
    ...(introspection ? [] : [withoutIntrospection()]),
    limitValidation(OPERATION_LIMITS),
    // Before executing, when the variables are known: cost.
    limitCost(cost),
    limitSubscriptions(OPERATION_LIMITS.subscriptionsCost),
    shareEvents(),
    // Last, on the way out.
    maskErrors(mask) as unknown as Plugin,
  ];
}
