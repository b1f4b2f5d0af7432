import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { VARIABLES, type Mode, type Variable } from './variables.ts';

/** Thrown once, with every wrong variable in its message. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n- ${problems.join('\n- ')}`,
    );
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * What the processes of models are given of the environment: where the libraries of a device lie, and which device it is. Windows
 * finds libraries by PATH, which libuv gives to every process there.
 */
const FOR_MODELS = ['LD_LIBRARY_PATH', 'CUDA_VISIBLE_DEVICES'] as const;

type Table = typeof VARIABLES;
type Values = { readonly [K in keyof Table]: Table[K] extends Variable<infer T> ? T : never };

/** The configuration, with every path resolved. Frozen. */
export interface Config extends Omit<Values, 'databaseUrl' | 'storagePath' | 'modelsDir' | 'maxConcurrentPerSession'> {
  /** Absolute path of the SQLite file. */
  readonly databasePath: string;
  /** Absolute folder that storage keys are relative to. */
  readonly storagePath: string;
  /** Absolute folder of the operator's own models; it need not exist. */
  readonly modelsDir: string;
  /** What the processes of those models are given of the environment. */
  readonly modelEnvironment: Readonly<Record<string, string>>;
  readonly maxConcurrentPerSession: number;
  /** Bytes; 0 = no limit. */
  readonly maxUploadBytes: number;
}

function rawValue(
  entry: Variable<unknown>,
  env: NodeJS.ProcessEnv,
  mode: Mode,
): { name: string; value: string | undefined } {
  const own = env[entry.name];
  if (own !== undefined && own !== '') return { name: entry.name, value: own };
  for (const [alias, translate] of Object.entries(entry.aliases ?? {})) {
    const value = env[alias];
    if (value !== undefined && value !== '') return { name: alias, value: translate(value) };
  }
  const { fallback } = entry;
  return { name: entry.name, value: typeof fallback === 'function' ? fallback(mode) : fallback };
}

/** What production must not start without, each with how to mend it. */
function productionProblems(values: Values): string[] {
  if (values.mode !== 'production') return [];
  const problems: string[] = [];
  if (values.jwtSecret === undefined) {
    problems.push(
      'JWT_SECRET is not set: production needs a secret of at least 32 characters, e.g. from `openssl rand -hex 32`',
    );
  }
  if (values.publicUrl === undefined && values.trustedHosts.length === 0) {
    problems.push(
      'PUBLIC_URL or TRUSTED_HOSTS is not set: set PUBLIC_URL to the address clients use, e.g. https://photos.example.org',
    );
  }
  if (values.allowGuests && (values.guestRestorationsPerMinute === 0 || values.uploadsPerHour === 0)) {
    problems.push(
      'ALLOW_GUESTS is on without a rate limit: set RATE_LIMIT_RESTORATIONS_PER_MINUTE and RATE_LIMIT_MAX_UPLOADS above 0, or ALLOW_GUESTS=false',
    );
  }
  if (values.fault !== undefined) problems.push('FAILPOINT is set: it breaks the service on purpose; unset it');
  return problems;
}

/**
 * Reads the configuration from the environment, or from `env`.
 *
 * @throws ConfigError naming every wrong variable at once.
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const mode: Mode = env['NODE_ENV'] === 'production' ? 'production' : 'development';
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries<Variable<unknown>>(VARIABLES)) {
    const { name, value } = rawValue(entry, env, mode);
    const parsed = entry.parse.safeParse(value);
    if (parsed.success) values[key] = parsed.data;
    else
      problems.push(
        `${name} is ${JSON.stringify(value)}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`,
      );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const checked = values as Values;
  if ((checked.adminUsername === undefined) !== (checked.adminPassword === undefined)) {
    problems.push('ADMIN_USERNAME and ADMIN_PASSWORD go together: set both or none');
  }
  problems.push(...productionProblems(checked));
  if (problems.length > 0) throw new ConfigError(problems);

  const { databaseUrl, storagePath, modelsDir, maxConcurrentPerSession, ...rest } = checked;
  const dataDir = resolve(rest.dataDir);
  return Object.freeze({
    ...rest,
    dataDir,
    databasePath: resolve(databaseUrl?.replace(/^(sqlite|file):(\/\/)?/, '') ?? join(dataDir, 'heirloom.sqlite')),
    storagePath: resolve(storagePath ?? dataDir),
    modelsDir: resolve(modelsDir ?? join(dataDir, 'models')),
    modelEnvironment: Object.fromEntries(FOR_MODELS.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
    maxConcurrentPerSession: maxConcurrentPerSession ?? Math.max(1, rest.maxConcurrentUploadsPerSession),
    maxUploadBytes: rest.maxUploadMb * 1e6,
  });
}

/** Reads `.env` of the working directory into the environment, where there is one; what is set already wins. */
export function loadEnvFile(path = '.env'): void {
  if (existsSync(path)) process.loadEnvFile(path);
}

/** What `.env` sets that no variable is called by, such as a misspelt name. */
export function unknownNames(path = '.env'): string[] {
  if (!existsSync(path)) return [];
  const known = new Set(
    Object.values<Variable<unknown>>(VARIABLES).flatMap(({ name, aliases = {} }) => [name, ...Object.keys(aliases)]),
  );
  return Object.keys(parseEnv(readFileSync(path, 'utf8'))).filter((name) => !known.has(name));
}

/** A variable as a person reads of it. */
interface Documented {
  name: string;
  doc: string;
  /** Defaults as they would be written; the same unless the mode matters. */
  development: string;
  production: string;
}

function documented(): Documented[] {
  return Object.values<Variable<unknown>>(VARIABLES).map(({ name, doc, fallback, aliases = {} }) => {
    const also = Object.keys(aliases);
    const unit = name === 'MAX_UPLOAD_SIZE_MB' ? ' (in bytes)' : '';
    const of = (mode: Mode): string => (typeof fallback === 'function' ? fallback(mode) : fallback) ?? '';
    return {
      name,
      doc: also.length === 0 ? doc : `${doc} Also read from ${also.join(', ')}${unit}.`,
      // The number of cores differs from machine to machine.
      development: name === 'MAX_CONCURRENT_RESTORATIONS' ? '' : of('development'),
      production: name === 'MAX_CONCURRENT_RESTORATIONS' ? '' : of('production'),
    };
  });
}

/** The text of `.env.example`: each variable commented out, with its default and one comment. */
export function envExample(): string {
  const lines = [
    '# Every variable has a default; nothing here is needed to start. MB are 10^6 bytes, 0 switches a limit off.',
  ];
  for (const { name, doc, development, production } of documented()) {
    const note = development === production ? '' : ` In production: ${production === '' ? 'empty' : production}.`;
    lines.push('', `# ${doc}${note}`, `#${name}=${development}`);
  }
  return `${lines.join('\n')}\n`;
}

/** The same as a table in Markdown. */
export function configurationTable(): string {
  const code = (value: string): string => (value === '' ? '' : `\`${value}\``);
  const rows = documented().map(({ name, doc, development, production }) => {
    const value =
      development === production
        ? code(development)
        : `${code(development)}, production ${code(production) || 'empty'}`;
    return `| \`${name}\` | ${value} | ${doc} |`;
  });
  return ['| variable | default | what |', '|---|---|---|', ...rows].join('\n');
}
