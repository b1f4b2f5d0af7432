import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EncodeOptions } from '../src/imaging/encode.ts';
import { writeUnchanged } from '../src/imaging/unchanged/unchanged.ts';
import { readReport } from '../src/restorations/report.ts';
import { photoPath } from './fixtures/damage.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-unchanged-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const EXIF = {
  IFD0: { Make: 'Canary camera', Artist: 'A. Person' },
  IFD2: { BodySerialNumber: 'SERIAL-1234' },
  IFD3: { GPSLatitude: '48/1 8/1 0/1', GPSLatitudeRef: 'N' },
};

const XMP =
  '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>';

async function original(format: 'jpeg' | 'png' | 'webp', orientation = 1, withXmp = true): Promise<string> {
  const path = join(folder, `${format}-${orientation}-${withXmp}.${format}`);
  const image = sharp(photoPath('coffee.png'))
    .resize(97, 61)
    .withMetadata({ orientation, density: 300 })
    .withExif(EXIF);
  await (withXmp ? image.withXmp(XMP) : image).toFormat(format, { quality: 60 }).toFile(path);
  return path;
}

async function unchanged(path: string, format: string, options: Partial<EncodeOptions> = {}) {
  const target = join(folder, 'result');
  await rm(target, { force: true });
  const result = await writeUnchanged({ original: { path, format }, ...options }, target);
  return { result, file: await readFile(target).catch(() => null) };
}

const stored = (file: string | Buffer): Promise<Buffer> => sharp(file, { autoOrient: false }).raw().toBuffer();

describe('the file of a photo that nothing was done to', () => {
  it.each(['jpeg', 'png', 'webp'] as const)(
    'keeps every pixel of a %s and what of its metadata may stay',
    async (format) => {
      const path = await original(format);
      const { result, file } = await unchanged(path, format);
      expect(result).toMatchObject({ format, width: 97, height: 61, bytes: file?.length });
      expect((await stored(file!)).equals(await stored(path))).toBe(true);
      const text = file!.toString('latin1');
      expect(text).toContain('A. Person');
      for (const secret of ['SERIAL-1234', 'xmpmeta']) expect(text).not.toContain(secret);
      expect((await sharp(file!).metadata()).orientation ?? 1).toBe(1);
    },
  );

  it.each(['jpeg', 'png', 'webp'] as const)(
    'leaves nothing of the metadata of a %s under STRIP_ALL',
    async (format) => {
      const path = await original(format);
      const { file } = await unchanged(path, format, { metadataPolicy: 'STRIP_ALL' });
      expect((await stored(file!)).equals(await stored(path))).toBe(true);
      const { exif, xmp } = await sharp(file!).metadata();
      expect({ exif, xmp }).toEqual({ exif: undefined, xmp: undefined });
    },
  );

  it('has all of its EXIF under KEEP, and still no more than that', async () => {
    const path = await original('jpeg', 1, false);
    const { file } = await unchanged(path, 'jpeg', { metadataPolicy: 'KEEP' });
    expect((await stored(file!)).equals(await stored(path))).toBe(true);
    expect(file!.toString('latin1')).toContain('SERIAL-1234');
  });

  it.each([
    ['its pixels are not upright', 6, 'STRIP_ALL'],
    ['its XMP is to be kept', 1, 'KEEP'],
  ] as const)('is encoded where %s', async (_why, orientation, metadataPolicy) => {
    const path = await original('jpeg', orientation);
    expect(await unchanged(path, 'jpeg', { metadataPolicy })).toEqual({ result: null, file: null });
  });

  it('ends with its picture: what hides behind it goes', async () => {
    const path = join(folder, 'trailing.jpeg');
    const whole = await readFile(await original('jpeg'));
    await writeFile(path, Buffer.concat([whole, Buffer.from('a film behind the picture')]));
    const { file } = await unchanged(path, 'jpeg');
    expect(file!.toString('latin1')).not.toContain('a film behind');
    expect((await stored(file!)).equals(await stored(path))).toBe(true);
  });

  it('keeps every scan of a progressive JPEG', async () => {
    const path = join(folder, 'progressive.jpeg');
    await sharp(photoPath('coffee.png')).jpeg({ progressive: true }).toFile(path);
    const { file } = await unchanged(path, 'jpeg');
    expect((await stored(file!)).equals(await stored(path))).toBe(true);
  });

  it.each([
    ['another format', { outputFormat: 'PNG' }],
    ['a quality', { quality: 80 }],
  ] as const)('is encoded where %s was asked for', async (_what, options) => {
    expect(await unchanged(await original('jpeg'), 'jpeg', options)).toEqual({ result: null, file: null });
  });

  it('is encoded where the file is an animation, has inks, is cut short or of another kind', async () => {
    const animation = join(folder, 'animation.webp');
    const frames = Buffer.alloc(16 * 32 * 3, 90);
    await sharp(frames.fill(20, 0, 700), { raw: { width: 16, height: 32, channels: 3, pageHeight: 16 } })
      .webp({ loop: 0, delay: [50, 50] })
      .toFile(animation);
    expect((await unchanged(animation, 'webp')).result).toBeNull();
    const inks = join(folder, 'inks.jpeg');
    await sharp(photoPath('coffee.png')).toColourspace('cmyk').jpeg().toFile(inks);
    expect((await unchanged(inks, 'jpeg')).result).toBeNull();
    const cut = join(folder, 'cut.jpeg');
    await writeFile(cut, (await readFile(await original('jpeg'))).subarray(0, -300));
    expect((await unchanged(cut, 'jpeg')).result).toBeNull();
    expect((await unchanged(photoPath('coffee.png'), 'tiff')).result).toBeNull();
  });
});

describe('a report of before there was a gate', () => {
  const step = { name: 'tone', ran: true, strength: 0.4, reason: 'The photo has faded.' };
  it('is read on', () => {
    expect(readReport([step])).toEqual({ steps: [step], gate: null });
    const guard = { name: 'guard', ran: true, strength: 1, reason: 'Nothing had to be mended.' };
    expect(readReport([step, guard])).toEqual({
      steps: [{ ...step, ran: false, strength: 0 }],
      gate: { verdict: 'UNTOUCHED', reason: guard.reason, measures: [] },
    });
  });

  it('is one of today otherwise', () => {
    const report = { steps: [step], gate: null };
    expect(readReport(report)).toBe(report);
  });
});
