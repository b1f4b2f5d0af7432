import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage } from '../src/imaging/decode.ts';
import { encodeResult } from '../src/imaging/encode.ts';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../src/imaging/limits.ts';
import { readRaster } from '../src/imaging/read-raster.ts';
import { makeRenditions } from '../src/imaging/renditions.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { deltaE2000 } from './fixtures/zoo/delta-e.ts';

const CHARTS = join(import.meta.dirname, 'fixtures/zoo/colours');
const [COLUMNS, ROWS, PATCH] = [6, 4, 16];
const reference = JSON.parse(await readFile(join(CHARTS, 'reference.json'), 'utf8')) as Record<string, number[][]>;
let folder: string;

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-colours-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The colour in the middle of each patch of a chart, row by row. */
async function patchesOf(image: Sharp): Promise<number[][]> {
  const { data, info } = await image.toColourspace('srgb').removeAlpha().raw({ depth: 'uchar' }).toBuffer({
    resolveWithObject: true,
  });
  return Array.from({ length: COLUMNS * ROWS }, (_, patch) => {
    const [left, top] = [(patch % COLUMNS) * PATCH, Math.floor(patch / COLUMNS) * PATCH];
    return [0, 1, 2].map((channel) => {
      let sum = 0;
      for (let y = top + 4; y < top + PATCH - 4; y++) {
        for (let x = left + 4; x < left + PATCH - 4; x++) {
          sum += data[(y * info.width + x) * info.channels + Math.min(channel, info.channels - 1)] ?? 0;
        }
      }
      return sum / (PATCH - 8) ** 2;
    });
  });
}

const difference = (colours: number[][], wanted: number[][]) =>
  colours.reduce((sum, colour, i) => sum + deltaE2000(colour, wanted[i] ?? []), 0) / colours.length;

describe('colours', () => {
  it('the measure itself: CIEDE2000 of known pairs', () => {
    expect(deltaE2000([255, 255, 255], [0, 0, 0])).toBeCloseTo(100, 1);
    expect(deltaE2000([255, 0, 0], [0, 255, 0])).toBeCloseTo(86.6, 0);
    expect(deltaE2000([10, 20, 30], [10, 20, 30])).toBe(0);
  });

  it.each(Object.keys(reference))('C32: %s shows and is restored as Little CMS has it', async (name) => {
    const path = join(CHARTS, name);
    const wanted = reference[name] ?? [];
    const info = await inspectImage(path, DEFAULT_LIMITS);
    const deep = /16|10-bit|12-bit/.test(name);
    expect(info).toMatchObject({ width: 96, height: 64, bitDepth: deep ? 16 : 8 });

    const [made] = await makeRenditions(path, info.format, ['LARGE'], folder, { quality: 100 });
    expect(await sharp(made?.path).metadata()).toMatchObject({ depth: 'uchar', space: 'srgb', hasProfile: false });
    const shown = difference(await patchesOf(sharp(made?.path)), wanted);

    const raster = await readRaster(await openImage(path, info));
    const result = join(folder, 'result.png');
    await encodeResult(raster, { original: { path, format: info.format }, outputFormat: 'PNG' }, result);
    const metadata = await sharp(result).metadata();
    expect([metadata.depth, metadata.hasProfile]).toEqual([deep ? 'ushort' : 'uchar', false]);
    const restored = difference(await patchesOf(sharp(result)), wanted);
    expect({ shown: shown < 2, restored: restored < 2 }, `${shown} ${restored}`).toEqual({
      shown: true,
      restored: true,
    });
  });
});
