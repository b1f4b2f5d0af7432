import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fuzz } from '../fixtures/zoo/fuzz.ts';

it('C27: three thousand broken files: no crash, no hang, no other error, less than a gigabyte', async () => {
  const keep = await mkdtemp(join(tmpdir(), 'heirloom-fuzz-kept-'));
  const { failures, outcomes } = await fuzz({ seed: 2027, cases: 3000, keep });
  expect(failures).toEqual([]);
  onTestFinished(() => rm(keep, { recursive: true }));
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(3000);
});
