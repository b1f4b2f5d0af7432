import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientOf, UPLOAD } from '../helpers/app.ts';
import { rowsOf } from '../helpers/books.ts';
import { expectGroundRule } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';
import { jpeg, storedFiles, until } from '../helpers/service.ts';
import { mayMount, smallDisk } from '../helpers/small-disk.ts';

/** What fills a disk, and how to make room again. */
const FULL: [string, string, (dir: string) => Promise<void>][] = [
  ['its bytes', 'size=32m', (dir) => writeFile(join(dir, 'filler'), Buffer.alloc(20e6))],
  [
    'its files',
    'size=64m,nr_inodes=200',
    async (dir) => {
      for (let n = 0; n < 200; n++) await writeFile(join(dir, `filler-${n}`), '').catch(() => {});
    },
  ],
];

describe.skipIf(!mayMount)('a disk that is full (mounts a tmpfs: needs root on Linux)', () => {
  it.each(FULL)(
    'C11: by %s is STORAGE_FULL, leaves nothing behind, and is over when there is room',
    async (_, options, fill) => {
      const dataDir = smallDisk(options);
      const service = { ...(await startProcess(dataDir)), dataDir };
      const client = clientOf(service.url);
      const token = await client.guest();
      const small = await jpeg(11);
      expect((await client.upload(UPLOAD, { file: { bytes: small } }, {}, token)).errors).toEqual([]);
      // Its renditions are files of their own, made after the answer.
      await until(() => rowsOf(dataDir, 'select 1 from job').length === 0);
      await expectGroundRule(service);
      const listed = () => client.ok('{ viewer { photos { totalCount } } }', {}, token);
      const large = Buffer.concat([await jpeg(12), Buffer.alloc(19e6)]);
      const before = await storedFiles(dataDir);
      await fill(dataDir);
      for (let round = 0; round < 3; round++) {
        const { status, errors, data } = await client.upload(UPLOAD, { file: { bytes: large } }, {}, token);
        expect([status, errors[0]?.extensions.code, data ?? null]).toEqual([507, 'STORAGE_FULL', null]);
        expect((await listed()).viewer.photos.totalCount).toBe(1);
      }
      expect(await readdir(join(dataDir, 'tmp'))).toEqual([]);
      expect(
        (await storedFiles(dataDir)).filter((path) => !before.includes(path) && !path.startsWith('processed/')),
      ).toEqual([]);
      for (const name of await readdir(dataDir)) if (name.startsWith('filler')) await rm(join(dataDir, name));
      const later = await client.upload(UPLOAD, { file: { bytes: await jpeg(13) } }, {}, token);
      expect(later.errors).toEqual([]);
      await expectGroundRule(service);
    },
  );
});
