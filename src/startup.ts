import { AppError } from './errors.ts';
import { ConfigError, type Config } from './config.ts';

const SENTENCES: Record<string, (config: Config, error: NodeJS.ErrnoException) => string> = {
  EADDRINUSE: ({ port }) => `PORT ${port} is in use: stop what listens there, or set another PORT`,
  EADDRNOTAVAIL: ({ host }) => `HOST ${host} is no address of this machine: set another HOST`,
  ENOTFOUND: ({ host }) => `HOST ${host} cannot be resolved: set another HOST`,
  EACCES: ({ port, dataDir }, { syscall, path = dataDir }) =>
    syscall === 'listen'
      ? `PORT ${port} needs more rights than this user has: set a PORT above 1023`
      : `${path} cannot be written to by this user: change its owner, or set another DATA_DIR`,
  EPERM: ({ dataDir }, { path = dataDir }) =>
    `${path} cannot be changed by this user: change its owner, or set another DATA_DIR`,
  ENOENT: ({ dataDir }) => `DATA_DIR ${dataDir} cannot be made: set another DATA_DIR`,
  EEXIST: ({ dataDir }) => `DATA_DIR ${dataDir} is no folder: set another DATA_DIR`,
  ENOTDIR: ({ dataDir }) => `DATA_DIR ${dataDir} is not in a folder: set another DATA_DIR`,
  EROFS: ({ dataDir }) => `DATA_DIR ${dataDir} is on a read-only disk: set another DATA_DIR`,
  ENOSPC: ({ dataDir }) => `the disk of DATA_DIR ${dataDir} is full: make room, or set another DATA_DIR`,
  SQLITE_FULL: ({ dataDir }) => `the disk of DATA_DIR ${dataDir} is full: make room, or set another DATA_DIR`,
  SQLITE_NOTADB: ({ databasePath }) =>
    `${databasePath} is no SQLite database: move it away, or set another DATABASE_URL`,
  SQLITE_CANTOPEN: ({ databasePath }) => `${databasePath} cannot be opened: check its folder and rights`,
  SQLITE_CORRUPT: ({ databasePath }) =>
    `${databasePath} is damaged: restore a backup, or move it away to begin with an empty one`,
  SQLITE_BUSY: ({ databasePath }) => `${databasePath} is held by another program: end that, then try again`,
  SQLITE_IOERR: ({ databasePath }) => `${databasePath} cannot be read or written: check its disk`,
  SQLITE_READONLY: ({ databasePath }) => `${databasePath} cannot be written to: check its rights`,
};

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  for (let at = error; at instanceof Error && codes.length < 10; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    // SQLite has finer codes, such as SQLITE_READONLY_DIRECTORY.
    if (typeof code === 'string') codes.push(code, code.split('_').slice(0, 2).join('_'));
  }
  return codes;
}

/**
 * What an operator is told when the service cannot start: a ConfigError with a sentence where one of the usual causes is
 * at fault, the error itself otherwise.
 */
export function explainStartup(error: unknown, config: Config): unknown {
  if (error instanceof ConfigError) return error;
  const sentence = codesOf(error)
    .map((code) => SENTENCES[code])
    .find((known) => known !== undefined);
  if (sentence !== undefined) return new ConfigError([sentence(config, error as NodeJS.ErrnoException)]);
  const isRefusal = error instanceof AppError && error.code !== 'INTERNAL_SERVER_ERROR';
  return isRefusal ? new ConfigError([error.message]) : error;
}
