import { execFileSync } from 'node:child_process';
import { rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientOf, RESTORE } from '../helpers/app.ts';
import { balanced, rowsOf } from '../helpers/books.ts';
import { expectGroundRule } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';
import { folderForTest, startScripted } from '../helpers/scripted.ts';
import { jpeg, storedFiles, until } from '../helpers/service.ts';

describe('C4: a worker that stood still while another took its job over', () => {
  it.each([
    ['result-made:stop', 0],
    ['result-stored:stop', 1],
    ['result-rendition-stored:stop:4', 5],
  ])(
    'at %s with %i files loses: one result, one event, and its own files are gone',
    async (fault, files) => {
      const dataDir = await folderForTest();
      const late = await startProcess(dataDir, { FAILPOINT: fault });
      const client = clientOf(late.url);
      const token = await client.guest();
      const { data } = await client.upload(RESTORE, { file: { bytes: await jpeg(605) } }, {}, token);
      const { id } = data.restorePhoto.restoration;
      const row = (): any => rowsOf(dataDir, 'select * from restoration')[0];
      await until(() => row().status === 'RUNNING');
      await until(() =>
        execFileSync('ps', ['-o', 'state=', '-p', String(late.child.pid)], { encoding: 'utf8' }).startsWith('T'),
      );
      // As on a file system whose locks do not hold: both work on the folder now.
      await rm(join(dataDir, 'lock.sqlite'));
      // Too young for the sweep of the other one: taking them away is left to the late writer.
      const stored = (await storedFiles(dataDir)).filter((file) => file.startsWith('processed'));
      for (const file of stored) await utimes(join(dataDir, file), new Date(), new Date(Date.now() + 3_600_000));
      expect(stored).toHaveLength(files);
      const other = await startProcess(dataDir);
      const ended = await clientOf(other.url).ended(id, token);
      expect(ended).toMatchObject({ status: 'SUCCEEDED', attempts: 2 });
      const key = row().storage_key;
      await until(() => rowsOf(dataDir, 'select 1 from job').length === 0);

      late.kill('SIGCONT');
      late.kill('SIGTERM');
      // It ends what it has begun, and by that comes late.
      expect(await late.ended).toBe(0);
      await balanced(dataDir);
      expect(row().storage_key).toBe(key);
      expect((await fetch(ended.url)).status).toBe(200);
      await expectGroundRule({ ...other, dataDir });
    },
    30_000,
  );
});

it('C5: work that blocks the event loop for five seconds is done once, and what waits is not lost', async () => {
  const dataDir = await folderForTest();
  let tries = 0;
  const service = await startScripted(
    dataDir,
    ({ attempt }) => {
      if (++tries > 1 || attempt > 1) return;
      for (const end = performance.now() + 5000; performance.now() < end;);
    },
    { MAX_CONCURRENT_RESTORATIONS: '2' },
  );
  const ids = [await service.submit(await jpeg(1300)), await service.submit(await jpeg(1301))];
  await until(() => rowsOf(dataDir, 'select 1 from job').length === 0, 20_000);
  expect(tries).toBe(2);
  const rows = rowsOf(dataDir, 'select id, status, attempts, fence from restoration order by id');
  expect(rows).toEqual(ids.toSorted().map((id) => ({ id, status: 'SUCCEEDED', attempts: 1, fence: 1 })));
  await balanced(dataDir);
}, 40_000);
