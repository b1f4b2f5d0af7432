import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage } from '../src/imaging/decode.ts';
import { encodeResult, type EncodeOptions, type OutputFormat } from '../src/imaging/encode.ts';
import { readExif } from '../src/imaging/exif.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { noise } from './fixtures/zoo/bytes.ts';
import { cameraExif, SECRETS } from './fixtures/zoo/exif.ts';
import { jpegWithExif, jpegWithXmp } from './fixtures/zoo/jpeg.ts';
import { psnr } from './fixtures/zoo/psnr.ts';
import { scene, scenePixels } from './fixtures/zoo/scene.ts';

const XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6">SECRET-XMP-55</d></x:xmpmeta>';
const pixels = { data: new Uint8Array(scenePixels(160, 120)), width: 160, height: 120, channels: 3, depth: 8 } as const;
let folder: string;
let photo: string;

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-encode-'));
  photo = join(folder, 'photo.jpg');
  const jpeg = await scene(120, 160).jpeg().toBuffer();
  await writeFile(photo, jpegWithXmp(jpegWithExif(jpeg, cameraExif(6)), XMP));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function encoded(options: Omit<EncodeOptions, 'original'>, picture: Parameters<typeof encodeResult>[0] = pixels) {
  const path = join(folder, 'result');
  const result = await encodeResult(picture, { original: { path: photo, format: 'jpeg' }, ...options }, path);
  const file = await readFile(path);
  const metadata = await sharp(file).metadata();
  return { result, file, metadata, exif: readExif(metadata.exif) };
}
const FORMATS: readonly OutputFormat[] = ['JPEG', 'PNG', 'WEBP'];

describe('encodeResult', () => {
  it('keeps the original format, or turns it into one that every browser shows', async () => {
    const expected = { jpeg: 'jpeg', png: 'png', webp: 'webp', tiff: 'png', bmp: 'png', gif: 'png', avif: 'webp' };
    for (const [format, wanted] of Object.entries(expected)) {
      const { result, metadata, file } = await encoded({ original: { path: photo, format } } as object);
      expect([format, result.format, metadata.format]).toEqual([format, wanted, wanted]);
      expect(result).toMatchObject({ width: 160, height: 120, bytes: file.length, mimeType: `image/${wanted}` });
    }
  });

  it('writes what was asked for, and a higher quality is closer', async () => {
    for (const outputFormat of FORMATS) {
      const [low, high] = [await encoded({ outputFormat, quality: 20 }), await encoded({ outputFormat, quality: 95 })];
      const score = async (file: Buffer) => psnr(await sharp(file).raw().toBuffer(), pixels.data);
      const [rough, fine] = [await score(low.file), await score(high.file)];
      const closer = outputFormat === 'PNG' ? rough === Infinity && fine === Infinity : fine > rough + 1;
      expect([outputFormat, closer]).toEqual([outputFormat, true]);
    }
    const { metadata } = await encoded({ outputFormat: 'JPEG' });
    expect(metadata.chromaSubsampling).toBe('4:4:4');
  });

  it('keeps 16 bits, grey and transparency where the format can', async () => {
    const deep = new Uint16Array(160 * 120 * 3).map((_, i) => (i * 37) % 65_536);
    const wide = await encoded({ outputFormat: 'PNG' }, { ...pixels, data: deep, depth: 16 });
    expect(wide.metadata).toMatchObject({ depth: 'ushort', channels: 3 });
    const back = await sharp(wide.file).toColourspace('rgb16').raw({ depth: 'ushort' }).toBuffer();
    expect(new Uint16Array(back.buffer, back.byteOffset, deep.length)).toEqual(deep);
    const jpeg = await encoded({ outputFormat: 'JPEG' }, { ...pixels, data: deep, depth: 16 });
    expect(
      psnr(
        await sharp(jpeg.file).raw().toBuffer(),
        Uint8Array.from(deep, (value) => value >> 8),
      ),
    ).toBeGreaterThan(20);

    const grey = { data: new Uint8Array(160 * 120).fill(77), width: 160, height: 120, channels: 1, depth: 8 } as const;
    expect((await encoded({ outputFormat: 'PNG' }, grey)).metadata).toMatchObject({ channels: 1, space: 'b-w' });
    expect((await encoded({ outputFormat: 'JPEG' }, grey)).metadata).toMatchObject({ channels: 1, density: 300 });
    const clear = { ...grey, data: new Uint8Array(160 * 120 * 2), channels: 2 } as const;
    expect((await encoded({ outputFormat: 'WEBP' }, clear)).metadata.hasAlpha).toBe(true);
    const white = await sharp((await encoded({ outputFormat: 'JPEG' }, clear)).file).stats();
    expect(white.channels[0]?.mean).toBeCloseTo(255, 0);
  });

  it('takes a pipeline as well as pixels, and nothing of its file comes along', async () => {
    const image = await openImage(photo, 'jpeg');
    const { result, metadata, file } = await encoded({ metadataPolicy: 'STRIP_ALL' }, image.keepMetadata());
    expect(result).toMatchObject({ width: 160, height: 120, format: 'jpeg' });
    expect([metadata.exif, metadata.xmp, metadata.icc, metadata.orientation]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    for (const secret of SECRETS) expect(file.includes(secret)).toBe(false);
  });

  it('says so when the format cannot hold the picture, and falls back where nothing was asked for', async () => {
    const long = { data: new Uint8Array(17_000), width: 17_000, height: 1, channels: 1, depth: 8 } as const;
    await expect(encoded({ outputFormat: 'WEBP' }, long)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    const { result } = await encoded({ original: { path: photo, format: 'webp' } } as object, long);
    expect(result.format).toBe('png');
  });

  it('does not start when the signal has fired', async () => {
    await expect(encoded({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

describe('metadata of a result', () => {
  it('C34: STRIP_PRIVATE keeps camera, dates and author, and nothing private, in every format', async () => {
    for (const outputFormat of FORMATS) {
      const { file, metadata, exif } = await encoded({ outputFormat });
      expect(Object.fromEntries(exif.IFD0)).toMatchObject({
        [0x010e]: 'Grandmother (left)',
        [0x010f]: 'Acme',
        [0x0110]: 'Box 2000',
        [0x0132]: '1999:12:31 23:59:59',
        [0x013b]: 'Ada Artist',
        [0x8298]: 'Ada Artist, 1999',
      });
      expect(Object.fromEntries(exif.IFD2)).toMatchObject({
        [0x829a]: '1/125',
        [0x829d]: '28/10',
        [0x8827]: '400',
        [0x9003]: '1999:12:31 23:58:00',
        [0xa434]: 'Fifty f/1.8',
      });
      expect(exif.IFD3.size).toBe(0);
      expect([metadata.xmp, metadata.orientation ?? 1]).toEqual([undefined, 1]);
      // WebP has no field of its own for it; there it is in the EXIF block.
      expect([metadata.density ?? 300, exif.IFD0.get(0x011a)]).toEqual([300, '300000/1000']);
      for (const secret of SECRETS) expect(file.includes(secret), `${outputFormat} ${secret}`).toBe(false);
    }
  });

  it('C34: KEEP keeps the place, the names and XMP, but no orientation', async () => {
    for (const outputFormat of FORMATS) {
      const { metadata, exif } = await encoded({ outputFormat, metadataPolicy: 'KEEP' });
      expect(Object.fromEntries(exif.IFD3)).toMatchObject({ 1: 'N', 2: '52/1 31/1 12/1', 3: 'E', 4: '13/1 24/1 17/1' });
      expect(Object.fromEntries(exif.IFD2)).toMatchObject({ [0xa430]: 'Olga Owner', [0xa431]: 'BODY-SERIAL-77' });
      expect(metadata.orientation ?? 1).toBe(1);
      expect(metadata.xmpAsString).toContain('SECRET-XMP-55');
      expect(metadata.xmpAsString).toContain('tiff:Orientation="1"');
    }
  });

  it('C34: STRIP_ALL leaves nothing', async () => {
    for (const outputFormat of FORMATS) {
      const { metadata } = await encoded({ outputFormat, metadataPolicy: 'STRIP_ALL' });
      expect([metadata.exif, metadata.xmp, metadata.icc]).toEqual([undefined, undefined, undefined]);
    }
  });

  it('is simply missing when the original has none, or is not there', async () => {
    const original = { path: join(folder, 'missing.bmp'), format: 'bmp' };
    const { metadata, result } = await encoded({ original, metadataPolicy: 'KEEP' } as object);
    expect([result.format, metadata.exif]).toEqual(['png', undefined]);
  });
});

describe('readExif', () => {
  it('survives every cut and two thousand random changes of a block', () => {
    const block = cameraExif();
    for (let length = 0; length <= block.length; length++) readExif(block.subarray(0, length));
    const random = noise(2000 * 6, 5);
    for (let i = 0; i < 2000; i++) {
      const bytes = Buffer.from(block);
      for (let j = 0; j < 3; j++)
        bytes[random.readUInt16LE(i * 6 + j * 2) % bytes.length] = random[(i * 7 + j) % random.length] ?? 0;
      const { IFD0, IFD2, IFD3 } = readExif(bytes);
      expect(IFD0.size + IFD2.size + IFD3.size).toBeLessThan(1600);
    }
    expect(readExif(undefined).IFD0.size).toBe(0);
  });
});
