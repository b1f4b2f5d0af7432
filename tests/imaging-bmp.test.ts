import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeBmp } from '../src/imaging/bmp-pixels.ts';
import { readBmp } from '../src/imaging/bmp.ts';
import { openImage } from '../src/imaging/decode.ts';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../src/imaging/limits.ts';
import { bmp, bmp24, type BmpSpec } from './fixtures/zoo/bmp.ts';
import { scenePixels } from './fixtures/zoo/scene.ts';

const RED = [255, 0, 0];
const GREEN = [0, 255, 0];
const BLUE = [0, 0, 255];
const WHITE = [255, 255, 255];
const PALETTE = Buffer.from([0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 255, 255, 255, 0]);
/** Top row red, green; bottom row blue, white. */
const EXPECTED = [...RED, ...GREEN, ...BLUE, ...WHITE];
const base = { width: 2, height: 2 } as const;
const rows = (...bytes: number[][]) =>
  Buffer.concat(bytes.map((row) => Buffer.from([...row, 0, 0, 0, 0]).subarray(0, Math.ceil(row.length / 4) * 4)));
const bgr = (...colours: number[][]) => colours.flatMap((colour) => colour.toReversed());
const bgrx = (alpha: number, ...colours: number[][]) => colours.flatMap((colour) => [...colour.toReversed(), alpha]);
const words = (...values: number[]) => values.flatMap((value) => [value & 255, value >> 8]);

let folder: string;
const read = async (bytes: Buffer) => {
  const path = join(folder, 'picture.bmp');
  await writeFile(path, bytes);
  return readBmp(path, DEFAULT_LIMITS);
};
const code = (spec: BmpSpec) =>
  read(bmp(spec)).then(
    () => 'accepted',
    (error: { code?: string }) => error.code,
  );

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-bmp-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('readBmp', () => {
  it('reads every uncompressed kind, bottom up and top down', async () => {
    const kinds: [string, BmpSpec][] = [
      ['24 bits', { ...base, bits: 24, pixels: rows(bgr(BLUE, WHITE), bgr(RED, GREEN)) }],
      ['24 bits, top down', { ...base, height: -2, bits: 24, pixels: rows(bgr(RED, GREEN), bgr(BLUE, WHITE)) }],
      ['32 bits', { ...base, bits: 32, pixels: rows(bgrx(0, BLUE, WHITE), bgrx(0, RED, GREEN)) }],
      ['8 bits', { ...base, bits: 8, palette: PALETTE, pixels: rows([2, 3], [0, 1]) }],
      ['4 bits', { ...base, bits: 4, palette: PALETTE, pixels: rows([0x23], [0x01]) }],
      ['16 bits, 555', { ...base, bits: 16, pixels: rows(words(31, 0x7fff), words(31 << 10, 31 << 5)) }],
      [
        '16 bits, 565',
        {
          ...base,
          bits: 16,
          compression: 3,
          masks: [0xf800, 0x7e0, 0x1f, 0],
          pixels: rows(words(31, 0xffff), words(31 << 11, 63 << 5)),
        },
      ],
    ];
    for (const [name, spec] of kinds) {
      const { data, width, height, channels } = await read(bmp(spec));
      expect([name, width, height, channels, [...data]]).toEqual([name, 2, 2, 3, EXPECTED]);
    }
    const twoColours = { ...base, bits: 1, palette: PALETTE.subarray(0, 8), pixels: rows([0b10000000], [0b01000000]) };
    expect([...(await read(bmp(twoColours))).data]).toEqual(
      [...GREEN, ...RED, ...RED, ...GREEN].map((_, i) => [...RED, ...GREEN, ...GREEN, ...RED][i]),
    );
  });

  it('C27: unpacks runs of 8 and of 4 bits, with jumps, bare stretches and rows cut short', async () => {
    const eight = { width: 5, height: 2, bits: 8, palette: PALETTE, compression: 1 } as const;
    const [r, g, b, w] = [RED, GREEN, BLUE, WHITE];
    const cases: [string, BmpSpec, number[][]][] = [
      ['runs', { ...eight, pixels: Buffer.from([5, 2, 0, 0, 3, 1, 2, 3, 0, 1]) }, [g, g, g, w, w, b, b, b, b, b]],
      [
        'bare stretch, padded to even',
        { ...eight, pixels: Buffer.from([0, 5, 0, 1, 2, 3, 0, 0, 0, 0, 9, 1, 0, 1]) },
        [g, g, g, g, g, r, g, b, w, r],
      ],
      [
        'jump and early end',
        { ...eight, pixels: Buffer.from([0, 2, 2, 1, 2, 3, 0, 1]) },
        [r, r, w, w, r, r, r, r, r, r],
      ],
      [
        '4 bits',
        { ...eight, bits: 4, compression: 2, pixels: Buffer.from([5, 0x12, 0, 0, 0, 3, 0x32, 0x10, 2, 0x00, 0, 1]) },
        [w, b, g, r, r, g, b, g, b, g],
      ],
      [
        'no mark behind a full last row',
        { ...eight, pixels: Buffer.from([5, 2, 0, 0, 5, 1]) },
        [g, g, g, g, g, b, b, b, b, b],
      ],
    ];
    for (const [name, spec, pixels] of cases) {
      expect([name, [...(await read(bmp(spec))).data]]).toEqual([name, pixels.flat()]);
    }
    for (const pixels of [
      [5, 2],
      [5, 2, 0, 0, 4, 1],
      [5, 2, 0, 0, 0, 5, 1],
      [5, 2, 0, 0, 0, 2, 1],
    ]) {
      expect(await code({ ...eight, pixels: Buffer.from(pixels) })).toBe('CORRUPT_IMAGE');
    }
    expect(await code({ ...eight, height: -2, pixels: Buffer.alloc(64) })).toBe('CORRUPT_IMAGE');
  });

  it('reads 2 bits per pixel and the short header of OS/2 2', async () => {
    const two = { ...base, bits: 2, palette: PALETTE, pixels: rows([0b10110000], [0b00010000]) };
    expect([...(await read(bmp(two))).data]).toEqual(EXPECTED);
    const info = bmp({ ...two, palette: Buffer.alloc(0) });
    const short = Buffer.concat([info.subarray(0, 14), Buffer.from([16, 0, 0, 0]), info.subarray(18, 30), PALETTE]);
    const file = Buffer.concat([short, two.pixels]);
    file.writeUInt32LE(short.length, 10);
    expect([...(await read(file)).data]).toEqual(EXPECTED);
  });

  it('keeps alpha, and takes an alpha channel of zeros for none', async () => {
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000] as const;
    const half = await read(
      bmp({ ...base, bits: 32, compression: 3, masks, pixels: rows(bgrx(128, BLUE, WHITE), bgrx(128, RED, GREEN)) }),
    );
    expect([...half.data.subarray(0, 4)]).toEqual([...RED, 128]);
    const none = await read(
      bmp({ ...base, bits: 32, compression: 3, masks, pixels: rows(bgrx(0, BLUE, WHITE), bgrx(0, RED, GREEN)) }),
    );
    expect([...none.data.subarray(0, 4)]).toEqual([...RED, 255]);
  });

  it('refuses what it cannot read, in the right words', async () => {
    const pixels = Buffer.alloc(64);
    expect(await code({ ...base, bits: 1, palette: PALETTE, compression: 3, pixels })).toBe('UNSUPPORTED_IMAGE');
    expect(await code({ ...base, bits: 24, compression: 4, pixels })).toBe('UNSUPPORTED_IMAGE');
    expect(await code({ ...base, bits: 7, pixels })).toBe('UNSUPPORTED_IMAGE');
    expect(await code({ width: 0, height: 4, bits: 24, pixels })).toBe('CORRUPT_IMAGE');
    expect(await code({ width: 20_000, height: 1, bits: 24, pixels })).toBe('IMAGE_TOO_LARGE');
  });

  it('a large one comes out like any other picture', async () => {
    const [width, height] = [3000, 2000];
    const rgb = scenePixels(width, height);
    const path = join(folder, 'large.bmp');
    await writeFile(path, bmp24(width, height, rgb));
    const image = await openImage(path, 'bmp');
    expect(Buffer.compare(await image.raw().toBuffer(), rgb)).toBe(0);
    const info = await inspectImage(path, DEFAULT_LIMITS);
    expect(info).toMatchObject({
      format: 'bmp',
      width,
      height,
      bitDepth: 8,
      hasAlpha: false,
      orientation: 1,
      frames: 1,
    });
    expect((await sharp(await image.png().toBuffer()).metadata()).width).toBe(width);
  });

  it('does not hold up the event loop for a large one', async () => {
    const [width, height] = [8000, 3000];
    const bytes = bmp({ width, height, bits: 8, palette: PALETTE, pixels: Buffer.alloc(width * height, 2) });
    const start = performance.now();
    decodeBmp(bytes);
    const inline = performance.now() - start;
    const path = join(folder, 'wide.bmp');
    await writeFile(path, bytes);
    let longest = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 2);
    await readBmp(path, DEFAULT_LIMITS);
    longest = Math.max(longest, performance.now() - last);
    clearInterval(beat);
    expect(longest).toBeLessThan(inline / 2);
  });
});
