import type { Readable } from 'node:stream';

export interface StoredFile {
  readonly bytes: number;
  readonly modifiedAt: Date;
}

/**
 * Where originals, results and renditions are kept. A key is a relative path with `/`, e.g.
 * `uploads/<session>/<photo>_scan.jpg`; `createStorage` has checked it before an adapter sees it. What is missing is null, never an error.
 */
export interface Storage {
  /**
   * Moves a finished local file in under `key`, durably: when it resolves, a power loss does not take it. When it rejects,
   * nothing is left under `key`.
   */
  put(key: string, localPath: string): Promise<void>;
  /** `range` is inclusive, in bytes. */
  open(key: string, range?: { start: number; end: number }): Promise<Readable | null>;
  stat(key: string): Promise<StoredFile | null>;
  /** Deletes a file; no error when it is gone already. */
  delete(key: string): Promise<void>;
  /** Every key that starts with `prefix`. */
  list(prefix: string): AsyncIterable<{ key: string } & StoredFile>;
  /** A path that can be read as long as the handle is not disposed of; a remote adapter fetches it first. */
  local(key: string): Promise<(AsyncDisposable & { readonly path: string }) | null>;
}
