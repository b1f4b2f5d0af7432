/**
 * What a backup is made of: a folder with the database, the generated secret where there is one, every stored file under
 * its key, and two files about them. `sha256sum -c SHA256SUMS` checks it without Heirloom.
 */
export const PARTS = {
  database: 'heirloom.sqlite',
  secret: 'secret',
  sums: 'SHA256SUMS',
  manifest: 'manifest.json',
} as const;

export const FORMAT = 1;

export interface Manifest {
  readonly format: typeof FORMAT;
  /** Version of the service that made it. */
  readonly heirloom: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Names of the migrations the database has been through. */
  readonly migrations: readonly string[];
  readonly photos: number;
  readonly restorations: number;
  readonly files: number;
  readonly bytes: number;
  /** Keys that rows name and the storage did not have. */
  readonly missing: readonly string[];
  /** Keys whose bytes are not those that were stored once; they are in the backup as they were found. */
  readonly damaged: readonly string[];
}

/** A backup that cannot be made or put back, told in one plain sentence. */
export class BackupError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'BackupError';
  }
}

/** A line of SHA256SUMS, as `sha256sum` writes it; a key has neither backslash nor line break. */
export function sumLine(sha256: string, name: string): string {
  return `${sha256}  ${name}\n`;
}

/** @returns null for a line that is none. */
export function readSumLine(line: string): { sha256: string; name: string } | null {
  const [, sha256, name] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
  return sha256 === undefined || name === undefined ? null : { sha256, name };
}
