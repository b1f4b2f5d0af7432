import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metadataOf, watchCompany } from '../src/imaging/company.ts';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../src/imaging/limits.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { tiffGiantStrip } from './fixtures/zoo/tiff.ts';
import { scene } from './fixtures/zoo/scene.ts';

const MADE = join(import.meta.dirname, 'fixtures/zoo/made');
let folder: string;

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-company-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const verdict = (path: string): Promise<string> =>
  inspectImage(path, DEFAULT_LIMITS).then(
    () => 'accepted',
    (error: { code?: string }) => error.code ?? String(error),
  );

describe('libvips says warnings to whoever asks first', () => {
  it(
    'C27: and a picture is judged by its own all the same, whatever is decoded beside it',
    { timeout: 90_000 },
    async () => {
      const damaged = join(folder, 'damaged.tiff');
      await writeFile(damaged, tiffGiantStrip());
      const sloppy = join(folder, 'sloppy.tiff');
      await copyFile(join(MADE, 'ok-unsorted-tags.tif'), sloppy);
      const innocent = join(folder, 'innocent.jpg');
      await scene(640, 480).jpeg().toFile(innocent);
      expect([await verdict(damaged), await verdict(sloppy), await verdict(innocent)]).toEqual([
        'CORRUPT_IMAGE',
        'accepted',
        'accepted',
      ]);
      const paths = Array.from({ length: 12 }, (_, i) => [damaged, sloppy, innocent, innocent][i % 4]!);
      const verdicts = await Promise.all(paths.map(verdict));
      const wanted = paths.map((path) => (path === damaged ? 'CORRUPT_IMAGE' : 'accepted'));
      expect(verdicts).toEqual(wanted);
    },
  );

  it('who was alone knows it: no second process looks at what is decoded alone', async () => {
    const bytes = await scene(64, 64).png().toBuffer();
    const company = watchCompany();
    company.own('header');
    await metadataOf(sharp(bytes));
    company.own('pipeline');
    await sharp(bytes).raw().toBuffer();
    expect(company.came()).toBe(false);
    await sharp(bytes).raw().toBuffer();
    expect(company.came()).toBe(true);
  });

  it('a header read meanwhile, or a picture already under way, is company', async () => {
    const bytes = await scene(64, 64).png().toBuffer();
    const company = watchCompany();
    await metadataOf(sharp(bytes));
    expect(company.came()).toBe(true);
    const other = sharp(bytes).raw().toBuffer();
    const second = watchCompany();
    expect(second.came()).toBe(true);
    await other;
  });
});
