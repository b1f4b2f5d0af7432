import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A photograph of `tests/fixtures/photos`. */
export function photoBytes(name: string): Promise<Buffer> {
  return readFile(join(import.meta.dirname, '..', 'fixtures', 'photos', name));
}
