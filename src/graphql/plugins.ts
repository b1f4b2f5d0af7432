import { blockFieldSuggestionsPlugin } from '@escape.tech/graphql-armor-block-field-suggestions';
import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesPlugin } from '@escape.tech/graphql-armor-max-directives';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import { NoSchemaIntrospectionCustomRule, type GraphQLError } from 'graphql';
import { isAsyncIterable, type GraphQLParams, type Plugin } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import { assertCost } from './cost.ts';
import type { Mask } from './mask.ts';
import type { ServerContext } from './server.ts';
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
  aliases: 30,
  directives: 50,
  tokens: 1000,
  /** Characters of the document. */
  characters: 15_000,
  /** Levels of the variables. */
  variableDepth: 32,
} as const;

/** Whether objects and lists within `value` are nested more than `limit` levels deep; itself needs no stack. */
export function isDeeperThan(limit: number, value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((item) => {
      const nested = typeof item === 'object' && item !== null && !(item instanceof Promise);
      return nested ? Object.values(item).filter((child) => typeof child === 'object' && child !== null) : [];
    });
  }
  return false;
}

/** U+0000 in a document, as it is or escaped. */
const NUL = /\0|\\u0000|\\u\{0+\}/;

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
  if (isDeeperThan(OPERATION_LIMITS.variableDepth, variables)) {
    throw new AppError(
      'BAD_USER_INPUT',
      `Variables are nested more than ${OPERATION_LIMITS.variableDepth} levels deep.`,
    );
  }
  // SQLite ends a text there, and no name or search has one.
  if ((typeof query === 'string' && NUL.test(query)) || JSON.stringify(variables ?? {}).includes('\\u0000')) {
    throw new AppError('BAD_USER_INPUT', 'Texts must not hold the character U+0000.');
  }
}

function limitParams(): Plugin {
  return { onParams: ({ params }) => assertParams(params) };
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
  /** Answer misspelt names with the right ones. */
  readonly suggestions: boolean;
}

/** The plugins in the order in which they run; they hold for HTTP, server-sent events and WebSockets alike. */
export function createPlugins({ mask, bodies, introspection, suggestions }: PluginOptions): Plugin[] {
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
    ...(suggestions ? [] : [blockFieldSuggestionsPlugin({ mask: '' }) as Plugin]),
    // Before executing, when the variables are known: cost.
    limitCost(cost),
    shareEvents(),
    // Last, on the way out.
    maskErrors(mask) as unknown as Plugin,
  ];
}
