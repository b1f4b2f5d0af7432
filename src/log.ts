import { pino, type DestinationStream, type Logger } from 'pino';

export type Log = Logger;

/** Paths whose values never reach a log line (C44). */
const REDACTED = [
  'token',
  'password',
  'newPassword',
  'currentPassword',
  'authorization',
  'secret',
  'apiKey',
  '*.token',
  '*.password',
  '*.newPassword',
  '*.currentPassword',
  '*.authorization',
  '*.secret',
  '*.apiKey',
];

/** `?e=…&s=…` of a signed link, and `Bearer …`. */
const SECRET = /((?:[?&]|%3f|%26)s(?:=|%3d)|bearer\s+)[\w\-.~+/=]+/gi;
/**
 * What a token may stand in. Begins where such a run begins and takes all of it: clients choose what is in a line, and to
 * look for a token from each `eyJ` on took 0.1 s of an address with five thousand of them.
 */
const DOTTED = /(?<![\w-])[\w-]+(?:\.[\w-]*)+/g;
/** What some terminal acts on or takes for the end of a line, beyond what JSON escapes by itself. */
const CONTROL = /[\u007F-\u009F\u2028-\u202E\u2066-\u2069]/g;

/** What is left of such a run once everything from the first token on has gone. */
function withoutToken(run: string): string {
  const at = run.search(/eyJ/i);
  return at === -1 || run.slice(at).split('.', 3).length < 3 ? run : `${run.slice(0, at)}[redacted]`;
}

/** The last look at a line: no signature and no token leaves, whatever value it came in. */
function clean(line: string): string {
  return line
    .replace(SECRET, (_, before: string) => `${before}[redacted]`)
    .replace(DOTTED, withoutToken)
    .replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  return {
    type: name,
    message,
    stack,
    code: (error as { code?: unknown }).code,
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
  };
}

/**
 * Structured logs: one JSON object a line, whatever CR, LF or escape codes the values hold.
 *
 * @param level pino's level names, or `silent`.
 * @param destination where lines go; default standard output.
 */
export function createLog(level: string, destination?: DestinationStream): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: REDACTED, censor: '[redacted]' },
      serializers: { err: serializeError },
      hooks: { streamWrite: clean },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}
