import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { shelfOf } from './helpers/nets.ts';

const CHILD = fileURLToPath(new URL('./fixtures/large-net-child.ts', import.meta.url));

it('takes 50 megapixels through a net in less than 1.2 GB, 300 MB of which are the pictures', async () => {
  const folder = await shelfOf(['chain'], { tile: { size: 512, overlap: 32 } });
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, folder]);
    const { grown, written } = JSON.parse(stdout);
    expect(written).toBe(true);
    expect(grown).toBeGreaterThan(250e6);
    expect(grown).toBeLessThan(1.2e9);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 300_000);
