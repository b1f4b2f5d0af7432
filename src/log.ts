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

/** `?e=…&s=…` of a signed link, and bearer tokens, wherever they stand in a text. */
const SECRET_IN_TEXT = /((?:[?&]s=)|(?:bearer\s+))[\w\-.~+/=]+/gi;

/** Removes signatures and tokens from a text that is about to be logged. */
function redactText(text: string): string {
  return text.replace(SECRET_IN_TEXT, '$1[redacted]');
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  return {
    type: name,
    message: redactText(message),
    stack: stack && redactText(stack),
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
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}
