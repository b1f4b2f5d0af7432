import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../src/imaging/limits.ts';
import { makeRenditions, type RenditionName } from '../src/imaging/renditions.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { bmp24 } from './fixtures/zoo/bmp.ts';
import { cameraExif, exifBlock, SECRETS } from './fixtures/zoo/exif.ts';
import { GIFAR, PAYLOAD, withTrailer } from './fixtures/zoo/foreign.ts';
import { jpegWithComment, jpegWithExif, jpegWithXmp } from './fixtures/zoo/jpeg.ts';
import { apng } from './fixtures/zoo/png.ts';
import { scene, scenePixels, turnedFor } from './fixtures/zoo/scene.ts';
import { psnr } from './fixtures/zoo/psnr.ts';

const ALL: readonly RenditionName[] = ['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE', 'ORIGINAL'];
let folder: string;
let out: string;

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-renditions-'));
});
beforeEach(async () => {
  out = await mkdtemp(join(folder, 'out-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function stored(bytes: Buffer): Promise<{ path: string; format: string }> {
  const path = join(out, 'source');
  await writeFile(path, bytes);
  return { path, format: (await inspectImage(path, DEFAULT_LIMITS)).format };
}

async function renditionsOf(bytes: Buffer, names: readonly RenditionName[] = ALL) {
  const { path, format } = await stored(bytes);
  return makeRenditions(path, format, names, out);
}

const rgb = (image: Sharp): Promise<Uint8Array> => image.ensureAlpha().toColourspace('srgb').raw().toBuffer();

/** Processor time rather than time on the clock: other test files run beside this one. */
const costOf = async (work: () => Promise<unknown>) => {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return user + system;
};

describe('makeRenditions', () => {
  it('makes every size from a large picture, in the order asked for', async () => {
    const made = await renditionsOf(await scene(5000, 2500).jpeg().toBuffer());
    expect(made.map(({ name, width, height }) => [name, width, height])).toEqual([
      ['THUMBNAIL', 150, 75],
      ['PREVIEW', 400, 200],
      ['MEDIUM', 600, 300],
      ['LARGE', 1200, 600],
      ['ORIGINAL', 4096, 2048],
    ]);
    for (const { path, bytes, width } of made) {
      const file = await readFile(path);
      expect(file.length).toBe(bytes);
      expect(await sharp(file).metadata()).toMatchObject({ format: 'webp', width, depth: 'uchar' });
    }
  });

  it('costs no more than the bare calls it replaces', async () => {
    const path = join(out, 'source.jpg');
    await writeFile(path, await scene(4000, 3000).jpeg().toBuffer());
    const small = ['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE'] as const;
    const bare = async () => {
      for (const side of [150, 400, 600, 1200]) {
        const image = sharp(path).autoOrient().resize(side, side, { fit: 'inside' });
        await image.webp({ quality: 85, effort: 2 }).toFile(join(out, 'bare.webp'));
      }
    };
    const costs: [number, number][] = [];
    for (let i = 0; i < 4; i++)
      costs.push([await costOf(() => makeRenditions(path, 'jpeg', small, out)), await costOf(bare)]);
    const least = (column: 0 | 1) => Math.min(...costs.map((pair) => pair[column]));
    expect(least(0) / least(1)).toBeLessThan(1.1);
  });

  it('never enlarges, and survives a line one pixel high', async () => {
    const small = await renditionsOf(await scene(90, 60).png().toBuffer());
    expect(new Set(small.map(({ width, height }) => `${width}x${height}`))).toEqual(new Set(['90x60']));
    const line = await renditionsOf(await scene(9000, 1).png().toBuffer());
    expect(line.map(({ height }) => height)).toEqual([1, 1, 1, 1, 1]);
  });

  it('leaves nothing behind when the source does not decode, or when the signal fires', async () => {
    const jpeg = await scene(800, 600).jpeg().toBuffer();
    const path = join(out, 'source');
    await writeFile(path, jpeg.subarray(0, jpeg.length / 2));
    await expect(makeRenditions(path, 'jpeg', ALL, out)).rejects.toThrow('premature end of JPEG image');
    await writeFile(path, jpeg);
    const signal = AbortSignal.abort(new DOMException('enough', 'AbortError'));
    await expect(makeRenditions(path, 'jpeg', ALL, out, { signal })).rejects.toThrow('enough');
    expect(await readdir(out)).toEqual(['source']);
  });

  it('C31: 36 files of all orientations come out upright and alike', async () => {
    for (const [width, height] of [
      [288, 192],
      [192, 288],
    ] as const) {
      const upright = await scene(width, height).png().toBuffer();
      const reference = await rgb(sharp(upright));
      const files: [string, Buffer][] = [
        ['jpeg without a tag', await sharp(upright).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()],
        ['png without a tag', upright],
      ];
      for (let orientation = 1; orientation <= 8; orientation++) {
        const turned = await turnedFor(orientation, upright);
        const jpeg = await sharp(turned).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer();
        files.push([`jpeg ${orientation}`, jpegWithExif(jpeg, exifBlock({ 0x0112: { short: [orientation] } }))]);
        files.push([
          `webp ${orientation}`,
          await sharp(turned).withMetadata({ orientation }).webp({ lossless: true }).toBuffer(),
        ]);
      }
      expect(files).toHaveLength(18);
      for (const orientation of [3, 5, 6, 8]) {
        const turned = await turnedFor(orientation, upright);
        files.push([`png ${orientation}`, await sharp(turned).withMetadata({ orientation }).png().toBuffer()]);
        files.push([`tiff ${orientation}`, await sharp(turned).withMetadata({ orientation }).tiff().toBuffer()]);
      }
      for (const [name, bytes] of files) {
        const [made] = await renditionsOf(bytes, ['LARGE']);
        const file = await readFile(made?.path ?? '');
        const metadata = await sharp(file).metadata();
        expect([name, made?.width, made?.height, metadata.orientation]).toEqual([name, width, height, undefined]);
        expect(psnr(await rgb(sharp(file)), reference), `${name}`).toBeGreaterThan(30);
      }
    }
  });

  it('C32: odd pictures come out in 8-bit sRGB with their colours', async () => {
    const reference = await rgb(scene());
    const grey = await rgb(sharp(await scene().greyscale().png().toBuffer()));
    const palette = await scene().png({ palette: true, colours: 256 }).toBuffer();
    const odd: [string, Buffer, Uint8Array][] = [
      ['16 bits', await scene().toColourspace('rgb16').png().toBuffer(), reference],
      ['16 bits, grey', await scene().toColourspace('grey16').png().toBuffer(), grey],
      ['grey', await scene().toColourspace('b-w').png().toBuffer(), grey],
      ['grey with alpha', await scene().toColourspace('b-w').ensureAlpha().png().toBuffer(), grey],
      ['palette', palette, reference],
      ['cmyk jpeg with a profile', await scene().withIccProfile('cmyk').jpeg({ quality: 95 }).toBuffer(), reference],
      ['p3 jpeg', await scene().withIccProfile('p3').jpeg({ quality: 95 }).toBuffer(), reference],
      ['p3 png, 16 bits', await scene().toColourspace('rgb16').withIccProfile('p3').png().toBuffer(), reference],
      ['progressive jpeg', await scene().jpeg({ progressive: true, quality: 95 }).toBuffer(), reference],
      ['avif', await scene().avif({ quality: 90, effort: 0 }).toBuffer(), reference],
      ['bmp', bmp24(160, 120, scenePixels(160, 120)), reference],
    ];
    for (const [name, bytes, expected] of odd) {
      const made = await renditionsOf(bytes);
      for (const file of made.slice(3)) {
        const webp = await readFile(file.path);
        const metadata = await sharp(webp).metadata();
        expect([name, metadata.depth, metadata.space, metadata.hasProfile]).toEqual([name, 'uchar', 'srgb', false]);
        // The trip through CMYK itself costs saturation; CMYK taken for RGB would score under 10 dB.
        const least = name.startsWith('cmyk') ? 22 : 30;
        expect(psnr(await rgb(sharp(webp)), expected), `${name} ${file.name}`).toBeGreaterThan(least);
      }
    }
  });

  it('C32: transparency stays', async () => {
    const [made] = await renditionsOf(await scene().ensureAlpha(0.5).png().toBuffer(), ['LARGE']);
    const { channels } = await sharp(made?.path).stats();
    expect(channels[3]?.mean).toBeCloseTo(128, -1);
  });

  it('C33: shows the first frame', async () => {
    const [made] = await renditionsOf(apng(32, 32, 4), ['THUMBNAIL']);
    const { channels } = await sharp(made?.path).stats();
    expect(channels[0]?.mean).toBeGreaterThan(190);
  });

  it('C34: carry no metadata at all', async () => {
    const jpeg = await scene(400, 300).jpeg().toBuffer();
    const photo = jpegWithXmp(jpegWithExif(jpeg, cameraExif()), `<x:xmpmeta>SECRET-XMP-55</x:xmpmeta>`);
    const path = join(out, 'photo.jpg');
    await writeFile(path, photo);
    for (const secret of SECRETS) expect(photo.includes(secret), `the fixture lacks ${secret}`).toBe(true);
    for (const { path: file } of await makeRenditions(path, 'jpeg', ALL, out)) {
      const bytes = await readFile(file);
      const { exif, xmp, icc, iptc } = await sharp(bytes).metadata();
      expect([exif, xmp, icc, iptc]).toEqual([undefined, undefined, undefined, undefined]);
      for (const secret of [...SECRETS, 'Ada Artist', 'EXIF']) expect(bytes.includes(secret)).toBe(false);
    }
  });

  it('C30: polyglots lose what they carried', async () => {
    const gif = await scene().gif().toBuffer();
    const jpeg = await scene().jpeg().toBuffer();
    const png = await scene().png().toBuffer();
    for (const bytes of [
      GIFAR(gif),
      jpegWithComment(jpeg, PAYLOAD),
      withTrailer(png, PAYLOAD),
      withTrailer(jpeg, PAYLOAD),
    ]) {
      expect(bytes.includes('heirloom-payload')).toBe(true);
      for (const { path } of await renditionsOf(bytes)) {
        const made = await readFile(path);
        for (const trace of ['heirloom-payload', '<?php', 'evil.class']) expect(made.includes(trace)).toBe(false);
      }
    }
  });
});
