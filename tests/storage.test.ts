import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { existsSync, statSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createStorage } from '../src/storage/create.ts';
import { createDiskStorage } from '../src/storage/disk.ts';
import { displayFilename, safeFilename } from '../src/storage/names.ts';
import { storageContract } from './contracts/storage.ts';

async function openDisk() {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-storage-'));
  const root = join(folder, 'root');
  return {
    folder,
    root,
    storage: createStorage(createDiskStorage({ root })),
    async file(content: string | Buffer) {
      const path = join(folder, randomUUID());
      await writeFile(path, content);
      return path;
    },
    close: () => rm(folder, { recursive: true }),
  };
}

storageContract('disk storage', openDisk);

describe('disk storage on this machine', () => {
  let disk: Awaited<ReturnType<typeof openDisk>>;
  beforeEach(async () => {
    disk = await openDisk();
  });
  afterEach(() => disk.close());

  test('files can be read by the same user only', async () => {
    const path = await disk.file('x');
    await chmod(path, 0o644);
    await disk.storage.put('a/b', path);
    expect((await stat(join(disk.root, 'a/b'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(disk.root, 'a'))).mode & 0o777).toBe(0o700);
  });

  test('folders that have become empty go, the root stays', async () => {
    await disk.storage.put('a/b/c/one', await disk.file('x'));
    await disk.storage.put('a/two', await disk.file('y'));
    await disk.storage.delete('a/b/c/one');
    expect(await readdir(join(disk.root, 'a'))).toEqual(['two']);
    await disk.storage.delete('a/two');
    expect(await readdir(disk.root)).toEqual([]);
  });

  test('a listing follows no link out of the root and shows nothing hidden', async () => {
    await mkdir(join(disk.root, 'a'), { recursive: true });
    await symlink('/etc', join(disk.root, 'a/etc'));
    await symlink('/etc/passwd', join(disk.root, 'a/passwd'));
    await writeFile(join(disk.root, 'a/.hidden'), '');
    expect(await Array.fromAsync(disk.storage.list(''))).toEqual([]);
  });

  test('a failed put leaves nothing under the key', async () => {
    await expect(disk.storage.put('a/b', join(disk.folder, 'nothing'))).rejects.toMatchObject({
      code: 'INTERNAL_SERVER_ERROR',
    });
    expect(await Array.fromAsync(disk.storage.list(''))).toEqual([]);
  });

  // Where the machine has a second disk: shared memory, on Linux.
  const elsewhere = '/dev/shm';
  const twoDisks = existsSync(elsewhere) && statSync(elsewhere).dev !== statSync(tmpdir()).dev;
  test.runIf(twoDisks)('moves files in from another disk, and clears what a crash has left of it', async () => {
    const root = await mkdtemp(join(elsewhere, 'heirloom-storage-'));
    try {
      await mkdir(join(root, '.incoming'));
      await writeFile(join(root, '.incoming', 'left over'), 'half a file');
      const storage = createStorage(createDiskStorage({ root }));
      const content = Buffer.alloc(3_000_000, 'photo');
      const path = await disk.file(content);
      await storage.put('a/b', path);
      const stream = await storage.open('a/b');
      expect(stream !== null && content.equals(await buffer(stream))).toBe(true);
      expect(existsSync(path)).toBe(false);
      expect((await stat(join(root, 'a/b'))).mode & 0o777).toBe(0o600);
      expect(await readdir(join(root, '.incoming'))).toEqual([]);
      expect((await Array.fromAsync(storage.list(''))).map(({ key }) => key)).toEqual(['a/b']);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

/** What a person or an attacker may call a file: [original, stored, shown]. */
const NAMES: [string, string, string][] = [
  ['photo.jpg', 'photo.jpg', 'photo.jpg'],
  ['Oma 1932 (Kopie).JPG', 'Oma_1932_Kopie_.JPG', 'Oma 1932 (Kopie).JPG'],
  ['../../x', 'x', 'x'],
  ['..\\x', 'x', 'x'],
  ['..\\..\\windows\\system32\\x.png', 'x.png', 'x.png'],
  ['/etc/passwd', 'passwd', 'passwd'],
  ['C:\\Users\\anna\\scan.tif', 'scan.tif', 'scan.tif'],
  ['a/b/', 'b', 'b'],
  ['nul\0byte.jpg', 'nulbyte.jpg', 'nulbyte.jpg'],
  ['CON', 'photo_CON', 'CON'],
  ['con.jpg', 'photo_con.jpg', 'con.jpg'],
  ['LPT1.tar.gz', 'photo_LPT1.tar.gz', 'LPT1.tar.gz'],
  ['console.jpg', 'console.jpg', 'console.jpg'],
  ['.htaccess', 'htaccess', '.htaccess'],
  ['-rf', 'rf', '-rf'],
  ['photo\u202egpj.exe', 'photogpj.exe', 'photogpj.exe'],
  ['\u2067a\u2069.jpg', 'a.jpg', 'a.jpg'],
  ['cafe\u0301.jpg', 'caf\u00e9.jpg', 'caf\u00e9.jpg'],
  ['\u00e9t\u00e9.jpg', '\u00e9t\u00e9.jpg', '\u00e9t\u00e9.jpg'],
  ['日本語.png', '日本語.png', '日本語.png'],
  ['\u{1f600}.jpg', 'photo.jpg', '\u{1f600}.jpg'],
  ['a\u{1f468}\u200d\u{1f469}\u200d\u{1f467}.jpg', 'a_.jpg', 'a\u{1f468}\u200d\u{1f469}\u200d\u{1f467}.jpg'],
  ['a\r\nSet-Cookie: x=1.jpg', 'aSet-Cookie_x_1.jpg', 'aSet-Cookie: x=1.jpg'],
  ['\u001b[31mred.jpg', '31mred.jpg', '[31mred.jpg'],
  ['lone\ud800surrogate.jpg', 'lonesurrogate.jpg', 'lonesurrogate.jpg'],
  [`"quoted" 'name'.jpg`, 'quoted_name_.jpg', `"quoted" 'name'.jpg`],
  ['<script>alert(1)</script>.jpg', 'script_.jpg', 'script>.jpg'],
  ['%2e%2e%2fx', '2e_2e_2fx', '%2e%2e%2fx'],
  ['a.jpg. . .', 'a.jpg', 'a.jpg. . .'],
  ['', 'photo', 'photo'],
  ['   ', 'photo', 'photo'],
  ['.', 'photo', 'photo'],
  ['..', 'photo', 'photo'],
  ['....', 'photo', 'photo'],
  ['___', 'photo', '___'],
  ['\u202e\u0000\ud800', 'photo', 'photo'],
  ['/', 'photo', 'photo'],
];
const LONG = [
  `${'x'.repeat(300)}.jpg`,
  `${'\u00e9'.repeat(500)}.jpeg`,
  `${'\u{1f600}'.repeat(250)}.png`,
  `${'日'.repeat(334)}.tif`,
  'e\u0301'.repeat(400),
  `a.${'x'.repeat(400)}`,
  '.'.repeat(400),
  `${'a'.repeat(93)}.${'b'.repeat(8)}`,
];

describe('file names', () => {
  test.each(NAMES)('C25: %j is stored as %j and shown as %j', (original, stored, shown) => {
    expect([safeFilename(original), displayFilename(original)]).toEqual([stored, shown]);
  });

  test.each([...NAMES.map(([original]) => original), ...LONG])('C25: %j gives names that are safe', (original) => {
    const stored = safeFilename(original);
    expect(Buffer.byteLength(stored)).toBeLessThanOrEqual(100);
    expect(stored).toMatch(/^[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]*$/u);
    expect(stored).toBe(stored.normalize('NFC'));
    expect(stored).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i);
    expect(stored).not.toMatch(/\.$/);
    expect(safeFilename(stored)).toBe(stored);

    const shown = displayFilename(original);
    expect(shown.length).toBeGreaterThan(0);
    expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(255);
    expect(shown).not.toMatch(/[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069\\/]/u);
    expect(shown).toBe(shown.normalize('NFC'));
    expect(displayFilename(shown)).toBe(shown);
  });

  test('C25: a long name keeps its extension', () => {
    for (const original of LONG.slice(0, 4)) {
      const extension = original.slice(original.lastIndexOf('.'));
      expect(safeFilename(original).endsWith(extension)).toBe(true);
      expect(displayFilename(original).endsWith(extension)).toBe(true);
    }
  });
});
