import { stat } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readFile } from 'node:fs/promises';
import type { Storage } from '../../src/storage/storage.ts';

export interface StorageHarness {
  storage: Storage;
  /** A finished local file, as the spool leaves it. */
  file(content: string | Buffer): Promise<string>;
  close(): Promise<void>;
}

const BAD_KEYS = [
  '',
  '/',
  '/etc/passwd',
  'a//b',
  'a/',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/./b',
  'a/.hidden',
  'a\\b',
  'a\0b',
  'a\nb',
  'a\u007fb',
  'a\ud800b',
  `a/${'x'.repeat(256)}`,
  Array.from({ length: 60 }, () => 'abcdefgh').join('/'),
];

/** What every storage must do, behind `createStorage`. */
export function storageContract(name: string, open: () => Promise<StorageHarness>): void {
  describe(`storage contract: ${name}`, () => {
    let store: StorageHarness;
    let storage: Storage;
    beforeEach(async () => {
      store = await open();
      storage = store.storage;
    });
    afterEach(() => store.close());

    async function put(key: string, content: string | Buffer): Promise<void> {
      await storage.put(key, await store.file(content));
    }
    async function read(key: string, range?: { start: number; end: number }): Promise<string | null> {
      const stream = await storage.open(key, range);
      return stream === null ? null : (await buffer(stream)).toString();
    }
    async function keys(prefix: string): Promise<string[]> {
      const found = await Array.fromAsync(storage.list(prefix));
      return found.map(({ key }) => key).toSorted();
    }

    test('keeps a file under its key, and takes the local one away', async () => {
      const path = await store.file('an original');
      const before = Date.now();
      await storage.put('uploads/s1/p1_scan.jpg', path);
      expect(await read('uploads/s1/p1_scan.jpg')).toBe('an original');
      await expect(stat(path)).rejects.toThrow('ENOENT');
      const found = await storage.stat('uploads/s1/p1_scan.jpg');
      expect(found?.bytes).toBe(11);
      expect(Math.abs((found?.modifiedAt.getTime() ?? 0) - before)).toBeLessThan(10_000);
    });

    test('replaces a file whole', async () => {
      await put('a/b', 'the first, which is longer');
      await put('a/b', 'the second');
      expect(await read('a/b')).toBe('the second');
    });

    test('takes names of any script, quotes and spaces', async () => {
      const key = "uploads/s1/p1_fête d'été №1 日本 \u{1f600}.jpg".normalize('NFC');
      await put(key, 'x');
      expect(await read(key)).toBe('x');
      expect(await keys('uploads/')).toEqual([key]);
    });

    test('reads a range, both ends included', async () => {
      await put('a/b', '0123456789');
      expect(await read('a/b', { start: 2, end: 4 })).toBe('234');
      expect(await read('a/b', { start: 9, end: 9 })).toBe('9');
      expect(await read('a/b', { start: 0, end: 0 })).toBe('0');
    });

    test('what is missing is null, and deleting it is no error', async () => {
      await put('a/b', 'x');
      for (const key of ['nothing', 'a/nothing', 'a/b/below a file', 'a']) {
        expect(await storage.open(key)).toBeNull();
        expect(await storage.stat(key)).toBeNull();
        expect(await storage.local(key)).toBeNull();
      }
      await storage.delete('nothing');
      await storage.delete('a/nothing');
      expect(await keys('')).toEqual(['a/b']);
    });

    test('deletes one file and leaves its neighbours', async () => {
      await put('a/b/c', 'x');
      await put('a/b/d', 'y');
      await storage.delete('a/b/c');
      expect(await keys('')).toEqual(['a/b/d']);
      await storage.delete('a/b/d');
      expect(await keys('')).toEqual([]);
      await put('a/b/c', 'again');
      expect(await read('a/b/c')).toBe('again');
    });

    test('lists what starts with a prefix, whole folders or parts of a name', async () => {
      for (const key of ['uploads/s1/p1_a.jpg', 'uploads/s1/p2_b.jpg', 'uploads/s10/p3_c.jpg', 'processed/s1/r1']) {
        await put(key, key);
      }
      expect(await keys('uploads/s1/')).toEqual(['uploads/s1/p1_a.jpg', 'uploads/s1/p2_b.jpg']);
      expect(await keys('uploads/s1')).toHaveLength(3);
      expect(await keys('uploads/s1/p2')).toEqual(['uploads/s1/p2_b.jpg']);
      expect(await keys('')).toHaveLength(4);
      expect(await keys('nothing/')).toEqual([]);
      const [first] = await Array.fromAsync(storage.list('processed/'));
      expect(first).toMatchObject({ key: 'processed/s1/r1', bytes: 15 });
    });

    test('gives a path to read from', async () => {
      await put('a/b', 'x');
      const local = await storage.local('a/b');
      expect(await readFile(local?.path ?? '', 'utf8')).toBe('x');
      await local?.[Symbol.asyncDispose]();
      expect(await read('a/b')).toBe('x');
    });

    test('puts and deletes in the same folder at once lose nothing', async () => {
      const rounds = Array.from({ length: 40 }, async (_, index) => {
        await put(`a/b/${index}`, String(index));
        if (index % 2 === 0) await storage.delete(`a/b/${index}`);
      });
      await Promise.all(rounds);
      expect(await keys('')).toHaveLength(20);
    });

    test.each(BAD_KEYS)('C25: %j is no key', async (key) => {
      const refused = { code: 'INTERNAL_SERVER_ERROR' };
      const path = await store.file('x');
      await expect(storage.put(key, path)).rejects.toMatchObject(refused);
      await expect(storage.open(key)).rejects.toMatchObject(refused);
      await expect(storage.stat(key)).rejects.toMatchObject(refused);
      await expect(storage.local(key)).rejects.toMatchObject(refused);
      await expect(storage.delete(key)).rejects.toMatchObject(refused);
      expect((await stat(path)).size).toBe(1);
    });

    test.each(['/', '../', 'a/../', '.', 'a\0'])('C25: %j is no prefix', async (prefix) => {
      await expect(keys(prefix)).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    });
  });
}
