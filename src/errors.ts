/**
 * Every way Heirloom can say no. One class, a closed union of codes, one table.
 * `http` is the status of an answer that carries no data; `retryable` tells a client whether the same
 * request can succeed later; `doc` becomes the description of the GraphQL enum value.
 */
export const ERROR_CODES = {
  BAD_USER_INPUT: { http: 400, retryable: false, doc: 'The arguments make no sense.' },
  GRAPHQL_PARSE_FAILED: { http: 400, retryable: false, doc: 'The document is not GraphQL.' },
  GRAPHQL_VALIDATION_FAILED: {
    http: 400,
    retryable: false,
    doc: 'The document does not fit the schema or its limits.',
  },
  UNSUPPORTED_IMAGE: { http: 400, retryable: false, doc: 'Not an image that Heirloom takes, whatever its name says.' },
  CORRUPT_IMAGE: { http: 400, retryable: false, doc: 'Starts like an image but does not decode completely.' },
  IMAGE_TOO_LARGE: { http: 413, retryable: false, doc: 'More pixels, a longer side or more frames than allowed.' },
  PAYLOAD_TOO_LARGE: { http: 413, retryable: false, doc: 'More bytes than allowed.' },
  UNKNOWN_MODEL: { http: 400, retryable: false, doc: 'No such model, or it is switched off.' },
  MODEL_UNAVAILABLE: {
    http: 503,
    retryable: true,
    doc: 'The model exists but its provider is not configured or not up.',
  },
  UNAUTHENTICATED: { http: 401, retryable: false, doc: 'No valid token.' },
  FORBIDDEN: { http: 403, retryable: false, doc: 'Signed in, but not allowed to do this.' },
  NOT_FOUND: { http: 404, retryable: false, doc: 'It does not exist, or belongs to somebody else.' },
  CONFLICT: { http: 409, retryable: false, doc: 'Not possible in the present state.' },
  RATE_LIMITED: { http: 429, retryable: true, doc: 'Too many requests; `retryAfter` says how many seconds to wait.' },
  INSUFFICIENT_MEMORY: {
    http: 422,
    retryable: false,
    doc: 'The work could never fit into the memory of this machine.',
  },
  PROVIDER_RATE_LIMITED: { http: 503, retryable: true, doc: 'The provider asked us to slow down.' },
  PROVIDER_TIMEOUT: { http: 504, retryable: true, doc: 'The provider, or the job as a whole, took too long.' },
  PROVIDER_UNAVAILABLE: { http: 502, retryable: true, doc: 'The provider cannot be reached or fails.' },
  PROVIDER_REJECTED: {
    http: 502,
    retryable: false,
    doc: 'The provider refused the request or returned something that is no image.',
  },
  PROVIDER_QUOTA: { http: 502, retryable: false, doc: 'The account at the provider is used up.' },
  PROVIDER_CREDENTIALS: { http: 502, retryable: false, doc: 'The provider refuses our credentials.' },
  STORAGE_FULL: { http: 507, retryable: true, doc: 'No space is left to store the file.' },
  STORAGE_UNAVAILABLE: {
    http: 503,
    retryable: true,
    doc: 'The database or the data folder cannot be used now: another program holds it, or it cannot be written to.',
  },
  WORKER_CRASH: { http: 500, retryable: false, doc: 'The work ended the process three times.' },
  SHUTTING_DOWN: { http: 503, retryable: true, doc: 'The service is stopping.' },
  INTERNAL_SERVER_ERROR: { http: 500, retryable: true, doc: 'Something went wrong on our side; the log has it.' },
} as const satisfies Record<string, { http: number; retryable: boolean; doc: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface AppErrorDetails {
  /** Seconds after which the same request may succeed. */
  retryAfter?: number;
  /** The provider that failed. */
  provider?: string;
  /** Dotted path of the offending argument, e.g. `input.options.strength`. */
  field?: string;
  /** What went wrong underneath; logged, never sent. */
  cause?: unknown;
}

/** An error that may be shown to the client: its message is public, its cause is not. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly retryAfter: number | undefined;
  readonly provider: string | undefined;
  readonly field: string | undefined;

  constructor(code: ErrorCode, message: string, details: AppErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'AppError';
    this.code = code;
    this.retryAfter = details.retryAfter;
    this.provider = details.provider;
    this.field = details.field;
  }

  get http(): number {
    return ERROR_CODES[this.code].http;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** True for the error a signal throws when somebody aborted on purpose. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** The `code` that Node and SQLite give their errors, e.g. `ENOENT`; undefined where there is none. */
export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

interface Trouble {
  readonly answer: readonly [ErrorCode, string, AppErrorDetails?];
  readonly codes: ReadonlySet<string>;
}

/** What the disk and the database complain about, and what that is to a client. */
const TROUBLES: readonly Trouble[] = [
  {
    answer: ['STORAGE_FULL', 'No space is left to store the file.'],
    codes: new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'SQLITE_FULL']),
  },
  {
    answer: ['STORAGE_UNAVAILABLE', 'Another program holds the database. Try again in a moment.', { retryAfter: 1 }],
    codes: new Set(['SQLITE_BUSY', 'SQLITE_LOCKED']),
  },
  {
    answer: ['STORAGE_UNAVAILABLE', 'The data folder cannot be used at the moment.', { retryAfter: 1 }],
    codes: new Set([
      'EROFS',
      'EACCES',
      'EPERM',
      'EIO',
      'EMFILE',
      'ENFILE',
      'SQLITE_READONLY',
      'SQLITE_IOERR',
      'SQLITE_CANTOPEN',
      'SQLITE_CORRUPT',
      'SQLITE_NOTADB',
    ]),
  },
];

/**
 * The AppError for anything thrown: itself; STORAGE_FULL or STORAGE_UNAVAILABLE for a disk or a database in trouble;
 * otherwise INTERNAL_SERVER_ERROR with the original as its cause.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  if (typeof code === 'string') {
    // SQLite has finer codes, such as SQLITE_IOERR_WRITE.
    const main = code.split('_').slice(0, 2).join('_');
    const trouble = TROUBLES.find(({ codes }) => codes.has(main));
    if (trouble !== undefined) {
      const [known, message, details] = trouble.answer;
      return new AppError(known, message, { ...details, cause: error });
    }
  }
  return new AppError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.', { cause: error });
}
