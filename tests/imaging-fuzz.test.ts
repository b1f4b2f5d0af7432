import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fuzz } from './fixtures/zoo/fuzz.ts';

it('C27: three hundred broken files get a verdict each, and what is taken holds its word', async () => {
  const keep = await mkdtemp(join(tmpdir(), 'heirloom-fuzz-kept-'));
  const { failures, outcomes, peakMb } = await fuzz({ seed: 27, cases: 300, keep });
  expect(failures).toEqual([]);
  onTestFinished(() => rm(keep, { recursive: true }));
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(300);
  expect(outcomes['accepted']).toBeGreaterThan(20);
  expect(outcomes['CORRUPT_IMAGE']).toBeGreaterThan(50);
  expect(peakMb).toBeLessThan(1000);
}, 60_000);
