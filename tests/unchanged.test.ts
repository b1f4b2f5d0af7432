import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EncodeOptions } from '../src/imaging/encode.ts';
import { jpegWithMetadata } from '../src/imaging/unchanged/jpeg.ts';
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

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const segment = (marker: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0xff, marker]), u16(payload.length + 2), payload]);
const pngChunk = (name: string, payload: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), payload]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(payload.length);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
};
const riffChunk = (name: string, size: number, payload = Buffer.alloc(size)): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  return Buffer.concat([Buffer.from(name, 'latin1'), length, payload]);
};
const HIDDEN = Buffer.from('hidden from whoever strips metadata');

/** A bare picture of a format with `extra` at `at`. */
async function withExtra(format: 'jpeg' | 'png' | 'webp', extra: Buffer, at: number): Promise<string> {
  const path = join(folder, `extra.${format}`);
  const bare = await sharp(photoPath('coffee.png')).resize(97, 61).toFormat(format).toBuffer();
  await writeFile(path, Buffer.concat([bare.subarray(0, at), extra, bare.subarray(at)]));
  return path;
}

describe('a file that hides something where decoders do not look', () => {
  const jfif = segment(0xe0, Buffer.concat([Buffer.from('JFIF\0\x01\x01\0\0\x01\0\x01\x08\x08', 'latin1'), HIDDEN]));
  it.each([
    ['jpeg', 'a DNL segment', segment(0xdc, HIDDEN), 2],
    ['jpeg', 'an MPF index', segment(0xe2, Buffer.concat([Buffer.from('MPF\0'), HIDDEN])), 2],
    ['jpeg', 'a comment', segment(0xfe, HIDDEN), 2],
    ['jpeg', 'a thumbnail in its JFIF header', jfif, 2],
    [
      'jpeg',
      'a long Adobe segment',
      segment(0xee, Buffer.concat([Buffer.from('Adobe\0d\0\0\0\0\x01', 'latin1'), HIDDEN])),
      2,
    ],
    ['png', 'text', pngChunk('tEXt', HIDDEN), 33],
    ['png', 'a second gamma of another length', pngChunk('gAMA', HIDDEN), 33],
    ['png', 'a density of another length', pngChunk('pHYs', HIDDEN), 33],
    [
      'webp',
      'an unknown chunk behind its end',
      riffChunk('FILM', HIDDEN.length + 1, Buffer.concat([HIDDEN, u16(0)]).subarray(0, 36)),
      Infinity,
    ],
    [
      'webp',
      'a second picture behind its end',
      riffChunk('VP8 ', HIDDEN.length + 1, Buffer.concat([HIDDEN, u16(0)]).subarray(0, 36)),
      Infinity,
    ],
  ] as const)('does not take it along: %s, %s', async (format, _what, extra, at) => {
    const path = await withExtra(format, extra, at);
    const { result, file } = await unchanged(path, format, { metadataPolicy: 'KEEP' });
    expect(result).not.toBeNull();
    expect(file!.includes(HIDDEN)).toBe(false);
    expect((await stored(file!)).equals(await stored(path))).toBe(true);
  });

  it('is not walked for ever: a WebP with a chunk whose length is nearly 4 GB', async () => {
    for (const size of [0xfffffff7, 0xfffffff8, 0xffffffff, 0x80000000]) {
      const path = await withExtra('webp', riffChunk('LOOP', size, Buffer.alloc(0)), Infinity);
      const { file } = await unchanged(path, 'webp');
      expect(file?.includes('LOOP') ?? false).toBe(false);
    }
  });

  it('is encoded where it is cut into more pieces than any encoder writes, and takes no memory for it', async () => {
    const empty = segment(0xc4, Buffer.alloc(0));
    const jpeg = await withExtra('jpeg', Buffer.alloc(empty.length * 3000, empty), 2);
    expect((await unchanged(jpeg, 'jpeg')).result).toBeNull();
    const passedOver = segment(0xe5, Buffer.alloc(0));
    const before = process.memoryUsage().heapUsed;
    const many = await withExtra('jpeg', Buffer.alloc(passedOver.length * 2_000_000, passedOver), 2);
    expect((await unchanged(many, 'jpeg')).result).not.toBeNull();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100e6);
  });

  it('is encoded where an end stands without a picture, or a second start', async () => {
    const end = segment(0xe5, Buffer.from([0]));
    for (const extra of [
      Buffer.concat([end, Buffer.from([0, 0xd9])]),
      Buffer.from([0xff, 0xd8]),
      Buffer.from([0xff, 1]),
    ]) {
      const bare = await readFile(await withExtra('jpeg', extra, 2));
      expect(jpegWithMetadata(bare, null, false)).toBeNull();
    }
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
