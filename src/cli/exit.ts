/** How the process ends; `--help` prints this table. */
export const EXIT = {
  done: { code: 0, doc: 'done' },
  failed: { code: 1, doc: 'something failed here: a file, a folder, the connection to the service' },
  usage: { code: 2, doc: 'the command or the configuration is wrong' },
  refused: { code: 3, doc: 'the service said no, or a restoration failed' },
  interrupted: { code: 130, doc: 'stopped by Ctrl-C' },
  terminated: { code: 143, doc: 'stopped by SIGTERM' },
} as const;

export type Exit = keyof typeof EXIT;

/** A failure that is told in one plain sentence. */
export class CliError extends Error {
  readonly exit: Exit;

  constructor(message: string, exit: Exit = 'failed', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CliError';
    this.exit = exit;
  }
}

/** Wrong use of a command: its usage is shown with the message. */
export class UsageError extends CliError {
  constructor(message: string) {
    super(message, 'usage');
    this.name = 'UsageError';
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'no permission',
  EPERM: 'no permission',
  ENOENT: 'there is no such file or folder',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  ENOSPC: 'no space is left',
  EROFS: 'the disk is read-only',
  EEXIST: 'it exists already',
  ECONNREFUSED: 'nothing answers there',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be looked up',
  ETIMEDOUT: 'it takes too long to answer',
  UND_ERR_SOCKET: 'the connection was cut',
};

/** Why something failed underneath, in a few words: a system error by its code, another by its message. */
export function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    const known = typeof code === 'string' ? REASONS[code] : undefined;
    if (known !== undefined) return known;
    if (at.cause === undefined) return at.message || at.name;
  }
  return String(error);
}
