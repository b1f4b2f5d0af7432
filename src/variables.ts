import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { FAILPOINTS, FAULT, readFault } from './failpoints.ts';

export type Mode = 'development' | 'production';

const IMAGE_MIME_TYPES = [
  'image/jpeg',
  'image/png',
  'image/webp',
  'image/tiff',
  'image/gif',
  'image/avif',
  'image/bmp',
];

/** A user name, once folded: its rule for the one in the environment and for those of the API. */
export const USERNAME = /^[\p{L}\p{M}\p{N}._@-]{3,64}$/u;

const text = z.string();
const integer = (min: number, max = Number.MAX_SAFE_INTEGER) => z.coerce.number().int().min(min).max(max);
const number = (min: number) => z.coerce.number().min(min);
const flag = z.stringbool();
/** A folder below another one; `tmp` is taken by files on their way. */
const folder = text.regex(
  /^(?!tmp(\/|$))[\w-]+(\/[\w-]+)*$/,
  'must be a relative folder without dots, such as uploads; tmp is taken',
);
const list = text.transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const duration = text.regex(/^\d+(s|m|h|d)$/, 'must look like 30m, 24h or 7d').transform((value) => {
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[value.slice(-1)] ?? 1;
  return Number(value.slice(0, -1)) * unit;
});

export interface Variable<T> {
  name: string;
  parse: z.ZodType<T, unknown>;
  /** As it would be written in the environment; undefined = unset. */
  fallback: string | undefined | ((mode: Mode) => string | undefined);
  /** One sentence, with the unit; becomes the comment in `.env.example`. */
  doc: string;
  /** Other names that are read when `name` is not set, each with a translation into `name`'s form. */
  aliases?: Record<string, (value: string) => string>;
}

function variable<T>(
  name: string,
  parse: z.ZodType<T, unknown>,
  fallback: Variable<T>['fallback'],
  doc: string,
  aliases: Variable<T>['aliases'] = {},
): Variable<T> {
  return { name, parse, fallback, doc, aliases };
}

const same = (value: string): string => value;
const inProduction =
  (production: string, development: string) =>
  (mode: Mode): string =>
    mode === 'production' ? production : development;

/** Every variable Heirloom reads, grouped as in `.env.example`. MB are 10^6 bytes; 0 switches a limit off. */
export const VARIABLES = {
  // Server
  mode: variable(
    'NODE_ENV',
    // Test runners set `test`, which asks for nothing else than development.
    z.enum(['development', 'production', 'test']).transform((mode) => (mode === 'test' ? 'development' : mode)),
    'development',
    '`production` switches on the hourly limits and refuses to start with unsafe settings.',
  ),
  port: variable('PORT', integer(0, 65_535), '4000', 'TCP port to listen on; 0 picks a free one.'),
  host: variable('HOST', text, '127.0.0.1', 'Address to listen on; 0.0.0.0 for every interface.'),
  dataDir: variable('DATA_DIR', text, './data', 'Folder for the database, the photos and the generated secret.'),
  publicUrl: variable(
    'PUBLIC_URL',
    z.url().optional(),
    undefined,
    'Where clients reach the service, e.g. https://photos.example.org; links to files start with it.',
  ),
  trustedHosts: variable(
    'TRUSTED_HOSTS',
    list,
    '',
    'Host headers that links may be built from when PUBLIC_URL is not set, comma separated.',
  ),
  trustProxy: variable(
    'TRUST_PROXY',
    flag,
    'false',
    'Believe X-Forwarded-For and X-Real-IP; only behind a proxy that sets them.',
  ),
  corsOrigins: variable(
    'CORS_ORIGINS',
    list,
    inProduction('', 'localhost'),
    'Origins that browsers may call from, comma separated; `localhost` = any port of this machine, `*` = all.',
  ),
  graphiql: variable('GRAPHIQL', flag, inProduction('false', 'true'), 'Serve GraphiQL at /graphql.'),
  introspection: variable('INTROSPECTION', flag, inProduction('false', 'true'), 'Answer introspection queries.'),
  logLevel: variable(
    'LOG_LEVEL',
    z.enum(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']),
    'info',
    'How much is logged, as JSON lines on standard output.',
  ),
  shutdownSeconds: variable(
    'SHUTDOWN_GRACE_SECONDS',
    number(0),
    '20',
    'How long running restorations may finish after SIGTERM before they go back into the queue.',
  ),
  fault: variable(
    'FAILPOINT',
    text
      .regex(FAULT, `must be NAME:kill, NAME:stop or NAME:throw, NAME one of ${FAILPOINTS.join(', ')}`)
      .transform(readFault)
      .optional(),
    undefined,
    'For tests only, refused in production: where to end (`kill`) or halt (`stop`) the process or let something fail (`throw`), e.g. `result-stored:kill`, or `result-stored:throw:2` for the second time.',
  ),

  // Data
  databaseUrl: variable(
    'DATABASE_URL',
    text
      .regex(
        /^((sqlite|file):|(?![a-z][a-z0-9+.-]+:\/\/))/i,
        'must be a path or sqlite:path; SQLite is the only database',
      )
      .optional(),
    undefined,
    'SQLite file; by default heirloom.sqlite in the data folder.',
    { DATABASE_PATH: same },
  ),
  storagePath: variable(
    'STORAGE_PATH',
    text.optional(),
    undefined,
    'Folder for photos and results; by default the data folder.',
  ),
  uploadDir: variable('UPLOAD_DIR', folder, 'uploads', 'Folder for originals, under STORAGE_PATH.'),
  processedDir: variable('PROCESSED_DIR', folder, 'processed', 'Folder for results, under STORAGE_PATH.'),
  urlSigningKeys: variable(
    'URL_SIGNING_KEYS',
    list.pipe(z.array(text.min(32, 'each must have at least 32 characters'))),
    '',
    'Keys that sign links to files, comma separated; the first signs, all are accepted (rotation). Derived from JWT_SECRET when empty.',
  ),

  // People
  jwtSecret: variable(
    'JWT_SECRET',
    text.min(32, 'must have at least 32 characters').optional(),
    undefined,
    'Signs access tokens (HS256), at least 32 characters. In development one is generated into the data folder.',
    { JWT_SECRET_KEY: same, SECRET_KEY: same },
  ),
  jwtExpiresIn: variable('JWT_EXPIRES_IN', duration, '24h', 'How long a token is good for: 30m, 24h, 7d.'),
  allowGuests: variable('ALLOW_GUESTS', flag, 'true', 'Let anybody start a guest session.'),
  allowRegistration: variable('ALLOW_REGISTRATION', flag, 'true', 'Let anybody create an account.'),
  adminUsername: variable(
    'ADMIN_USERNAME',
    text.regex(USERNAME, 'must have 3 to 64 letters, digits, dots, underscores, hyphens or @').optional(),
    undefined,
    'Administrator created at start when missing.',
  ),
  adminPassword: variable(
    'ADMIN_PASSWORD',
    text.min(8, 'must have at least 8 characters').optional(),
    undefined,
    'Password of that administrator.',
  ),
  loginAttemptsPerMinute: variable(
    'LOGIN_ATTEMPTS_PER_MINUTE',
    integer(0),
    '5',
    'Failed logins per minute from one address; ten times as many for one user name from all addresses together.',
  ),

  // Models
  modelsConfig: variable(
    'MODELS_CONFIG',
    text.optional(),
    undefined,
    'More models: JSON text, or the path of a JSON file.',
  ),
  modelsRequireAuth: variable(
    'MODELS_REQUIRE_AUTH',
    flag,
    'false',
    'Show the list of models only to people who are signed in.',
  ),
  defaultModel: variable('DEFAULT_MODEL', text, 'auto', 'Model used when a request names none.'),
  modelsDir: variable(
    'MODELS_DIR',
    text.optional(),
    undefined,
    'Folder of your own models in ONNX form, each with a manifest; by default models in the data folder.',
  ),
  allowNoncommercialModels: variable(
    'ALLOW_NONCOMMERCIAL_MODELS',
    flag,
    'false',
    'Use models of your own whose licence forbids commercial use.',
  ),
  executionProviders: variable(
    'ONNX_EXECUTION_PROVIDERS',
    list.pipe(z.array(z.enum(['cpu', 'cuda', 'dml', 'coreml']))),
    'cpu',
    'What models of your own run on, comma separated, the first that works: cuda, dml, coreml; cpu is always the last.',
  ),
  useNets: variable(
    'USE_NETS',
    flag,
    'true',
    'Use the nets that ship with Heirloom; without them every step takes its classical way, in less time and memory.',
  ),
  warmUpModels: variable(
    'WARM_UP_MODELS',
    flag,
    'false',
    'Load the nets that ship with Heirloom at the start and keep them, rather than when a photo needs them.',
  ),
  jobTimeoutSeconds: variable(
    'JOB_TIMEOUT_SECONDS',
    number(1).max(86_400),
    '600',
    'Longest time for one try of a restoration.',
  ),

  // Images
  maxUploadMb: variable('MAX_UPLOAD_SIZE_MB', number(0), '20', 'Largest upload in MB.', {
    MAX_UPLOAD_SIZE: (bytes) => String(Number(bytes) / 1e6),
  }),
  maxMegapixels: variable('MAX_IMAGE_MEGAPIXELS', number(0), '50', 'Most pixels of an upload, in millions.'),
  maxSide: variable('MAX_IMAGE_SIDE', integer(0), '16384', 'Longest side of an upload, in pixels.'),
  maxOutputMegapixels: variable(
    'MAX_OUTPUT_MEGAPIXELS',
    number(0),
    '100',
    'Most pixels of a result, in millions; checked when it is asked for.',
  ),
  allowedMimeTypes: variable(
    'ALLOWED_MIME_TYPES',
    list.pipe(z.array(z.enum(IMAGE_MIME_TYPES))),
    IMAGE_MIME_TYPES.join(','),
    'Image types that are taken, comma separated.',
  ),
  webpQuality: variable('WEBP_QUALITY', integer(1, 100), '85', 'Quality of thumbnails and previews, 1 to 100.'),

  // Limits
  maxConnections: variable('MAX_CONNECTIONS', integer(0), '10000', 'TCP connections at once; the newest are closed.'),
  maxConnectionsPerAddress: variable(
    'MAX_CONNECTIONS_PER_ADDRESS',
    integer(0),
    '500',
    'TCP connections at once from one address or IPv6 /64; not counted with TRUST_PROXY, where all have that of the proxy.',
  ),
  maxConcurrentUploadsPerSession: variable(
    'MAX_CONCURRENT_UPLOADS_PER_SESSION',
    integer(0),
    '3',
    'Uploads under way at once in one session.',
  ),
  maxConcurrentPerSession: variable(
    'MAX_CONCURRENT_RESTORATIONS_PER_SESSION',
    integer(1).optional(),
    undefined,
    'Restorations running at once in one session; by default as many as uploads.',
  ),
  maxConcurrent: variable(
    'MAX_CONCURRENT_RESTORATIONS',
    integer(1),
    String(availableParallelism()),
    'Restorations running at once over all sessions; by default one per core.',
  ),
  maxQueuedPerSession: variable('MAX_QUEUED_PER_SESSION', integer(0), '200', 'Restorations waiting in one session.'),
  uploadsPerHour: variable('RATE_LIMIT_MAX_UPLOADS', integer(0), inProduction('50', '0'), 'Uploads per hour and user.'),
  guestRestorationsPerMinute: variable(
    'RATE_LIMIT_RESTORATIONS_PER_MINUTE',
    integer(0),
    inProduction('3', '0'),
    'Restorations per minute and address, for guests.',
  ),
  maxAttempts: variable('MAX_ATTEMPTS', integer(1, 20), '3', 'Tries before a restoration is given up.'),
  retryDelaySeconds: variable(
    'RETRY_DELAY_SECONDS',
    number(0),
    '10',
    'Wait before the second try; doubles with each further one, at most 60.',
  ),

  // Keeping
  sessionCleanupHours: variable(
    'SESSION_CLEANUP_HOURS',
    number(0),
    '24',
    'Hours without use after which a session ends (a guest goes with all photos).',
  ),
  sessionCleanupIntervalHours: variable(
    'SESSION_CLEANUP_INTERVAL_HOURS',
    number(0),
    '6',
    'Hours between two clean-ups.',
  ),
} as const satisfies Record<string, Variable<unknown>>;
