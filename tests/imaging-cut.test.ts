import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { AppError } from '../src/errors.ts';
import { decodeTiles } from '../src/imaging/avif-tiles.ts';
import { openImage } from '../src/imaging/decode.ts';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../src/imaging/limits.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { seedImages } from './fixtures/zoo/seeds.ts';

let folder: string;
let path: string;

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-cut-'));
  path = join(folder, 'picture');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The pixels of a picture that is taken, or the code that refuses it. */
async function verdict(bytes: Buffer): Promise<Buffer | string> {
  await writeFile(path, bytes);
  try {
    const info = await inspectImage(path, DEFAULT_LIMITS);
    return await (await openImage(path, info)).toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
  } catch (error) {
    return error instanceof AppError ? error.code : `untyped: ${String(error)}`;
  }
}

describe('cut pictures', () => {
  it('C29: of every kind, at every tenth, are refused; or nothing of the picture itself was lost', async () => {
    const wrong: string[] = [];
    let [cuts, refused] = [0, 0];
    for (const { name, bytes } of await seedImages()) {
      const complete = await verdict(bytes);
      if (typeof complete === 'string') continue;
      for (const share of [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99]) {
        const cut = bytes.subarray(0, Math.floor(bytes.length * share));
        const got = await verdict(cut);
        cuts += 1;
        if (got === 'CORRUPT_IMAGE' || got === 'UNSUPPORTED_IMAGE') refused += 1;
        else if (typeof got === 'string' || !got.equals(complete))
          wrong.push(`${name} at ${share}: ${String(got).slice(0, 80)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(cuts).toBeGreaterThan(1000);
    expect(refused / cuts).toBeGreaterThan(0.9);
  }, 60_000);

  it('C28: the tiles of an AVIF grid have 15 s together, not each', async () => {
    await writeFile(path, await readFile(join(import.meta.dirname, 'fixtures/zoo/made/any-grid.avif')));
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 10_000));
    onTestFinished(() => void vi.restoreAllMocks());
    await expect(decodeTiles(path, DEFAULT_LIMITS)).rejects.toThrow(/timeout/);
  });

  it('C29: a damaged tile of an AVIF grid is no black corner but damage', async () => {
    const grid = await readFile(join(import.meta.dirname, 'fixtures/zoo/made/any-grid.avif'));
    expect(typeof (await verdict(grid))).toBe('object');
    const media = grid.indexOf('mdat') + 4;
    for (const share of [0.02, 0.6]) {
      const hurt = Buffer.from(grid);
      const at = media + Math.floor((grid.length - media) * share);
      expect(await verdict(hurt.fill(0xff, at, at + 40))).toBe('CORRUPT_IMAGE');
    }
  });
});
