import { GraphQLError } from 'graphql';
import { AppError, ERROR_CODES, isAbortError, toAppError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';

/** The parts of an error that both transports need; `http` is taken off before it is sent. */
export interface ClientExtensions {
  code: ErrorCode;
  requestId?: string;
  retryAfter?: number;
  field?: string;
  provider?: string;
  http: { status: number; headers?: Record<string, string>; spec?: boolean };
}

export interface Mask {
  /**
   * The error as a client may see it: an AppError with its code, GraphQL's own refusals with theirs, and everything
   * else as INTERNAL_SERVER_ERROR, logged with its cause. The same error is never logged twice.
   */
  (error: unknown, request?: { requestId: string; log: Log } | undefined): GraphQLError;
}

const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);

function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof GraphQLError && root.originalError !== undefined) root = root.originalError;
  return root;
}

/** What an error that graphql-js, Yoga or the limits have raised means; null when it is none of theirs. */
function codeOfGraphQLError(error: unknown): ErrorCode | null {
  if (!(error instanceof GraphQLError)) return null;
  const { code, http } = error.extensions as { code?: unknown; http?: { status?: unknown } };
  if (isErrorCode(code)) return code;
  if (code === 'BAD_REQUEST' || code === 'OPERATION_RESOLUTION_FAILURE') return 'BAD_USER_INPUT';
  if (typeof http?.status === 'number' && http.status < 500) return 'BAD_USER_INPUT';
  // The limits call themselves syntax errors, but bear no position in a source.
  if (error.message.startsWith('Syntax Error: ')) {
    return error.source === undefined ? 'GRAPHQL_VALIDATION_FAILED' : 'GRAPHQL_PARSE_FAILED';
  }
  // Variables and arguments that do not fit point into the document; a result that does not fit points nowhere.
  return error.nodes === undefined ? null : 'BAD_USER_INPUT';
}

function extensionsOf(error: AppError): ClientExtensions {
  const { code, retryAfter, field, provider, http } = error;
  return {
    code,
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...(field === undefined ? {} : { field }),
    ...(provider === undefined ? {} : { provider }),
    http: {
      status: http,
      ...(retryAfter === undefined ? {} : { headers: { 'Retry-After': String(Math.ceil(retryAfter)) } }),
    },
  };
}

/** Points at a value in the document, or, where a scalar takes no such trouble, at nothing. */
function isAboutLiteral({ nodes }: GraphQLError): boolean {
  return nodes === undefined || nodes.every(({ kind }) => kind.endsWith('Value'));
}

/** What the outermost error says by itself, whatever it wraps. */
function codeOfWrapper(error: GraphQLError): ErrorCode | null {
  const { code } = error.extensions;
  // A type that refuses a literal is heard through the validation, but it is the argument that is wrong.
  if (code === 'GRAPHQL_VALIDATION_FAILED') {
    return error.originalError !== undefined || isAboutLiteral(error) ? 'BAD_USER_INPUT' : code;
  }
  if (isErrorCode(code)) return code;
  // A scalar that refuses a variable throws what it likes; graphql-js words it like this.
  return error.path === undefined && error.message.startsWith('Variable "$') ? 'BAD_USER_INPUT' : null;
}

/**
 * How graphql-js offers the right name for a wrong one: of fields, arguments, types, enum values; always at the end. One
 * space and no more: a run of any length would be tried from each of its characters on.
 */
const SUGGESTION = / Did you mean\b[\s\S]*$/;
const AS_SYNTAX_ERROR = /^Syntax Error: (?=.*\blimit of\b)/;

/**
 * Creates the one place where errors become what clients see. The log of a request bears its id; `log` is for what has
 * none.
 *
 * @param options.suggestions answer misspelt names with the right ones.
 */
export function createMask({ log, suggestions }: { log: Log; suggestions: boolean }): Mask {
  const done = new WeakSet<GraphQLError>();

  return (error, request) => {
    if (error instanceof GraphQLError && done.has(error)) return error;
    const wrapper = error instanceof GraphQLError ? error : undefined;
    const root = rootOf(error);
    const answer = (message: string, extensions: ClientExtensions): GraphQLError => {
      const masked = new GraphQLError(message, {
        nodes: wrapper?.nodes ?? null,
        source: wrapper?.source ?? null,
        positions: wrapper?.positions ?? null,
        path: wrapper?.path ?? null,
        extensions: { ...extensions },
      });
      done.add(masked);
      return masked;
    };

    if (root instanceof AppError && root.code !== 'INTERNAL_SERVER_ERROR') {
      if (root.http >= 500) (request?.log ?? log).warn({ err: root }, 'request refused');
      return answer(root.message, extensionsOf(root));
    }
    const code = (wrapper && codeOfWrapper(wrapper)) ?? codeOfGraphQLError(root);
    if (code !== null && code !== 'INTERNAL_SERVER_ERROR') {
      // Yoga marks what stays 200 for a client that takes only application/json; what it has not marked is 4xx for all.
      const given = (wrapper?.extensions['http'] ?? { spec: true }) as Partial<ClientExtensions['http']>;
      const message = (wrapper?.message ?? String(root)).replace(AS_SYNTAX_ERROR, '');
      return answer(suggestions ? message : message.replace(SUGGESTION, ''), {
        code,
        http: { status: ERROR_CODES[code].http, ...given },
      });
    }
    const internal = toAppError(root);
    if (!isAbortError(root)) {
      (request?.log ?? log).error(
        { err: internal.cause ?? internal, path: wrapper?.path?.join('.') },
        'request failed',
      );
    }
    return answer(internal.message, {
      ...extensionsOf(internal),
      ...(request === undefined ? {} : { requestId: request.requestId }),
    });
  };
}

/** What is sent of a masked error on a transport that has no HTTP status: everything but `extensions.http`. */
export function withoutHttp(error: GraphQLError) {
  const { http: _http, unexpected: _unexpected, ...extensions } = error.extensions;
  return { ...error.toJSON(), extensions };
}
