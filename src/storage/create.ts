import { AppError } from '../errors.ts';
import type { Storage } from './storage.ts';

const MAX_KEY_BYTES = 512;
const MAX_PART_BYTES = 255;
/** Control characters, backslash, lone surrogates. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\\]/u;

function isPart(part: string): boolean {
  return part !== '' && !part.startsWith('.') && Buffer.byteLength(part) <= MAX_PART_BYTES;
}

function isKey(key: string): boolean {
  return Buffer.byteLength(key) <= MAX_KEY_BYTES && !FORBIDDEN.test(key) && key.split('/').every(isPart);
}

/** The start of a key: whole parts, then perhaps the start of one. */
function isPrefix(prefix: string): boolean {
  return prefix === '' || isKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

function check(ok: boolean, key: string): void {
  if (ok) return;
  // Keys are made by this service from ids and cleaned names: a bad one is a fault of ours, not of the caller's input.
  throw new AppError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.', {
    cause: new Error(`not a storage key: ${JSON.stringify(key)}`),
  });
}

/**
 * The storage that the application uses: checks every key once, then asks the adapter. A key has at most 512 bytes in
 * parts between `/` that are neither empty nor begin with a dot, and no control character or backslash.
 *
 * @throws AppError INTERNAL_SERVER_ERROR (each method) for anything else.
 */
export function createStorage(adapter: Storage): Storage {
  return {
    async put(key, localPath) {
      check(isKey(key), key);
      try {
        await adapter.put(key, localPath);
      } catch (error) {
        // It may lie there all the same, e.g. when only its folder could not be synced. What stays is found by the sweep.
        await adapter.delete(key).catch(() => {});
        throw error;
      }
    },
    async open(key, range) {
      check(isKey(key), key);
      return adapter.open(key, range);
    },
    async stat(key) {
      check(isKey(key), key);
      return adapter.stat(key);
    },
    async delete(key) {
      check(isKey(key), key);
      await adapter.delete(key);
    },
    async *list(prefix) {
      check(isPrefix(prefix), prefix);
      yield* adapter.list(prefix);
    },
    async local(key) {
      check(isKey(key), key);
      return adapter.local(key);
    },
  };
}
