import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../src/errors.ts';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS, FORMATS, type ImageFormat } from '../src/imaging/limits.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { bmp24 } from './fixtures/zoo/bmp.ts';
import { noise } from './fixtures/zoo/bytes.ts';
import { jpegWithExif, withSegments } from './fixtures/zoo/jpeg.ts';
import { exifBlock } from './fixtures/zoo/exif.ts';
import { apng } from './fixtures/zoo/png.ts';
import { scene, scenePixels, turnedFor } from './fixtures/zoo/scene.ts';
import { greyTiff, tiffPages } from './fixtures/zoo/tiff.ts';

const WIDTH = 320;
const HEIGHT = 240;
let folder: string;
let samples: readonly { name: string; format: ImageFormat; bytes: Buffer }[];

async function store(bytes: Buffer, name = 'picture.png'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}
const inspect = async (bytes: Buffer, name?: string) => inspectImage(await store(bytes, name), DEFAULT_LIMITS);

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'accepted',
    (error: unknown) => (error instanceof AppError ? error.code : `untyped: ${String(error)}`),
  );

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-inspect-'));
  const pixels = scenePixels(WIDTH, HEIGHT);
  const grain = noise(pixels.length, 7);
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.min(255, (pixels[i] ?? 0) + ((grain[i] ?? 0) & 15));
  const picture = () => sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } });
  const made: [string, ImageFormat, Buffer][] = [
    ['jpeg', 'jpeg', await picture().jpeg().toBuffer()],
    ['jpeg, progressive', 'jpeg', await picture().jpeg({ progressive: true }).toBuffer()],
    ['jpeg, grey', 'jpeg', await picture().toColourspace('b-w').jpeg().toBuffer()],
    ['png', 'png', await picture().png().toBuffer()],
    ['png, interlaced', 'png', await picture().png({ progressive: true }).toBuffer()],
    ['png, 16 bits', 'png', await picture().toColourspace('rgb16').png().toBuffer()],
    ['webp', 'webp', await picture().webp().toBuffer()],
    ['webp, lossless', 'webp', await picture().webp({ lossless: true }).toBuffer()],
    ['tiff, lzw', 'tiff', await picture().tiff({ compression: 'lzw' }).toBuffer()],
    ['tiff, plain', 'tiff', await picture().tiff({ compression: 'none' }).toBuffer()],
    ['tiff, jpeg', 'tiff', await picture().tiff({ compression: 'jpeg' }).toBuffer()],
    ['tiff, tiled', 'tiff', await picture().tiff({ compression: 'deflate', tile: true }).toBuffer()],
    ['tiff, directory first', 'tiff', greyTiff(WIDTH, HEIGHT, pixels.subarray(0, WIDTH * HEIGHT))],
    ['gif', 'gif', await picture().gif().toBuffer()],
    ['avif', 'avif', await picture().avif({ effort: 0 }).toBuffer()],
    ['bmp', 'bmp', bmp24(WIDTH, HEIGHT, pixels)],
  ];
  samples = made.map(([name, format, bytes]) => ({ name, format, bytes }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('inspectImage', () => {
  it('C26: decides by content, whatever the extension says', async () => {
    for (const { name, format, bytes } of samples) {
      const info = await inspect(bytes, 'wrong.svg');
      expect(info, `${name}`).toMatchObject({
        format,
        mimeType: FORMATS[format].mimeType,
        width: WIDTH,
        height: HEIGHT,
      });
      expect(info.dominantColor).toMatch(/^#[0-9a-f]{6}$/);
      expect(Buffer.from(info.thumbhash, 'base64').length).toBeGreaterThan(5);
    }
  });

  it('C29: refuses every picture cut anywhere, never a half-grey success', async () => {
    const passed: string[] = [];
    for (const { name, bytes } of samples) {
      for (const percent of [0, 10, 25, 50, 75, 90, 95, 99]) {
        const cut = bytes.subarray(0, Math.floor((bytes.length * percent) / 100));
        const result = await outcome(inspect(cut));
        const expected = percent === 0 ? 'UNSUPPORTED_IMAGE' : 'CORRUPT_IMAGE';
        if (result !== expected) passed.push(`${name} at ${percent} %: ${result}`);
      }
    }
    expect(passed).toEqual([]);
  });

  it('C29: takes a complete picture with ten megabytes behind it', async () => {
    const garbage = noise(10e6, 3);
    for (const { name, bytes } of samples) {
      const result = await outcome(inspect(Buffer.concat([bytes, garbage])));
      expect([name, result]).toEqual([name, 'accepted']);
    }
  });

  it('C29: refuses a picture damaged in the middle where the format can tell', async () => {
    for (const { name, bytes } of samples.filter((sample) => /jpeg|png|gif|lzw|tiled/.test(sample.name))) {
      const damagedBytes = Buffer.from(bytes);
      const middle = Math.floor(bytes.length / 2);
      for (let i = middle; i < middle + 200; i++) damagedBytes[i] = (damagedBytes[i] ?? 0) ^ 0x5a;
      expect([name, await outcome(inspect(damagedBytes))]).toEqual([name, 'CORRUPT_IMAGE']);
    }
  });

  it('C29: takes the oddities of complete camera files', async () => {
    const jpeg = samples[0]?.bytes ?? Buffer.alloc(0);
    const stray = Buffer.alloc(5, 0x41);
    const beforeEnd = Buffer.concat([jpeg.subarray(0, -2), stray, jpeg.subarray(-2)]);
    const scan = jpeg.indexOf(Buffer.from([0xff, 0xda]));
    const oddScan = Buffer.from(jpeg);
    oddScan[scan + 2 + oddScan.readUInt16BE(scan + 2) - 2] = 0;
    for (const [name, bytes] of [
      ['stray bytes before the end', beforeEnd],
      ['stray bytes in the header', withSegments(jpeg, stray)],
      ['odd scan parameters', oddScan],
    ] as const) {
      expect([name, await outcome(inspect(bytes))]).toEqual([name, 'accepted']);
      expect([name, await outcome(inspect(bytes.subarray(0, bytes.length * 0.9)))]).toEqual([name, 'CORRUPT_IMAGE']);
    }
  });

  it('says what it saw: depth, alpha, grey, profile', async () => {
    const rgba = scene().ensureAlpha(0.5);
    expect(await inspect(await scene().toColourspace('rgb16').png().toBuffer())).toMatchObject({ bitDepth: 16 });
    expect(await inspect(await rgba.png().toBuffer())).toMatchObject({ bitDepth: 8, hasAlpha: true, isGrey: false });
    expect(await inspect(await scene().toColourspace('b-w').jpeg().toBuffer())).toMatchObject({
      isGrey: true,
      hasAlpha: false,
    });
    expect(await inspect(await scene().withIccProfile('p3').jpeg().toBuffer())).toMatchObject({ hasProfile: true });
    const red = sharp({ create: { width: 50, height: 40, channels: 3, background: '#cc2010' } });
    expect(await inspect(await red.png().toBuffer())).toMatchObject({ dominantColor: '#cc2010', hasProfile: false });
  });

  it('C31: reports the displayed size and the stored orientation', async () => {
    const upright = await scene(60, 40).png().toBuffer();
    for (let orientation = 1; orientation <= 8; orientation++) {
      const stored = await sharp(await turnedFor(orientation, upright))
        .jpeg()
        .toBuffer();
      const info = await inspect(jpegWithExif(stored, exifBlock({ 0x0112: { short: [orientation] } })));
      expect(info).toMatchObject({ width: 60, height: 40, orientation });
    }
  });

  it('C33: counts frames and pages and uses the first', async () => {
    const dark = { create: { width: 16, height: 16, channels: 3 as const, background: '#101010' } };
    const bright = { create: { width: 16, height: 16, channels: 3 as const, background: '#f0f0f0' } };
    const middling = { create: { width: 16, height: 16, channels: 3 as const, background: '#7070a0' } };
    const frames = [
      await sharp(bright).png().toBuffer(),
      await sharp(dark).png().toBuffer(),
      await sharp(middling).png().toBuffer(),
    ];
    const animation = () => sharp(frames, { join: { animated: true } });
    for (const bytes of [await animation().gif().toBuffer(), await animation().webp({ lossless: true }).toBuffer()]) {
      expect(await inspect(bytes)).toMatchObject({ frames: 3, height: 16, dominantColor: '#f0f0f0' });
    }
    expect(await inspect(apng(16, 16, 5))).toMatchObject({ frames: 5, dominantColor: '#c8c8c8' });
    expect(await inspect(tiffPages(12))).toMatchObject({ frames: 12, width: 4, height: 4 });
  });

  it('stops when the signal has fired', async () => {
    const path = await store(samples[0]?.bytes ?? Buffer.alloc(0));
    const reason = new DOMException('enough', 'AbortError');
    await expect(inspectImage(path, DEFAULT_LIMITS, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
