import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspectImage } from '../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../src/imaging/limits.ts';
import { configureSharp } from '../src/imaging/sharp.ts';
import { FOREIGN, svg } from './fixtures/zoo/foreign.ts';
import { hostileImages, type HostileImage } from './fixtures/zoo/index.ts';
import type { Verdict } from './fixtures/zoo/inspect-child.ts';
import { flatPng, pngChunk } from './fixtures/zoo/png.ts';
import { scene } from './fixtures/zoo/scene.ts';

const run = promisify(execFile);
const CHILD = join(import.meta.dirname, 'fixtures/zoo/inspect-child.ts');

let folder: string;
let zoo: HostileImage[];
const paths = new Map<string, string>();

async function judge(mode: 'header' | 'image', images: readonly HostileImage[]): Promise<Map<string, Verdict>> {
  const files = images.map(({ name }) => paths.get(name) ?? '');
  const { stdout } = await run(process.execPath, [CHILD, mode, ...files], { maxBuffer: 1e7 });
  const verdicts = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Verdict);
  return new Map(images.map(({ name }, i) => [name, verdicts[i] as Verdict]));
}

beforeAll(async () => {
  configureSharp();
  folder = await mkdtemp(join(tmpdir(), 'heirloom-zoo-'));
  zoo = await hostileImages();
  for (const [i, { name, bytes }] of zoo.entries()) {
    const path = join(folder, `${i}.png`);
    await writeFile(path, bytes);
    paths.set(name, path);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('hostile files', () => {
  it('C28, C30: are refused from the header, with the right code, in no time and no memory', async () => {
    const images = zoo.filter(({ fromHeader }) => fromHeader);
    const verdicts = await judge('header', images);
    const wrong = images.flatMap(({ name, codes }) => {
      const { outcome, ms, message } = verdicts.get(name) as Verdict;
      const plain = /^[A-Z].*\.$/.test(message) && !message.includes(folder);
      return codes.some((code) => code === outcome) && plain && ms < 100 ? [] : [{ name, outcome, ms, message }];
    });
    expect(wrong).toEqual([]);
    expect(images.length).toBeGreaterThan(110);
    const last = verdicts.get(images.at(-1)?.name ?? '');
    expect(last?.peakGrowthMb).toBeLessThan(50);
  });

  it('C28: are refused within bounds where only decoding can tell', async () => {
    const images = zoo.filter(({ fromHeader }) => !fromHeader);
    const verdicts = await judge('image', images);
    for (const { name, codes } of images) {
      expect(codes, `${name}`).toContain(verdicts.get(name)?.outcome);
      expect(verdicts.get(name)?.peakGrowthMb, `${name}`).toBeLessThan(200);
    }
  });

  it('C28: the same files are refused by the whole inspection too', async () => {
    const verdicts = await judge('image', zoo);
    const wrong = zoo.filter(({ name, codes }) => !codes.some((code) => code === verdicts.get(name)?.outcome));
    expect(wrong.map(({ name }) => [name, verdicts.get(name)?.outcome])).toEqual([]);
  });

  it('C30: HEIC is refused with advice how to convert it', async () => {
    const verdicts = await judge(
      'header',
      zoo.filter(({ name }) => name === 'heic'),
    );
    expect(verdicts.get('heic')?.message).toContain('export the photo as JPEG');
  });
});

describe('loaders that no photo needs', () => {
  it('C30: stay shut, so an SVG is neither drawn nor fetches anything', async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests += 1;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const drawing = svg(`http://127.0.0.1:${port}/x.png`);
      await expect(sharp(drawing).png().toBuffer()).rejects.toThrow('unsupported image format');
      const path = join(folder, 'drawing.png');
      await writeFile(path, drawing);
      await expect(inspectImage(path, DEFAULT_LIMITS)).rejects.toMatchObject({ code: 'UNSUPPORTED_IMAGE' });
      expect(requests).toBe(0);
    } finally {
      server.close();
    }
  });

  it('C27: only those for photos are open, even for a file that got past the judge', async () => {
    const open = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const;
    for (const format of open) {
      const bytes = await scene(32, 32).toFormat(format).toBuffer();
      expect((await sharp(bytes).metadata()).width).toBe(32);
    }
    const opened: string[] = [];
    for (const [name, make] of Object.entries(FOREIGN)) {
      const path = join(folder, 'foreign');
      await writeFile(path, make());
      await sharp(path)
        .metadata()
        .then(
          ({ format }) => opened.push(`${name}: ${format}`),
          () => undefined,
        );
    }
    expect(opened).toEqual([]);
    // The gain map of an Ultra HDR photo is not looked at: it is the JPEG that every viewer shows.
    const hdr = await sharp(join(import.meta.dirname, 'fixtures/zoo/colours/ultra-hdr.jpg')).metadata();
    expect([hdr.format, hdr.depth, hdr.channels]).toEqual(['jpeg', 'uchar', 3]);
  });

  it('C30: a WebP full of SVG text is a WebP', async () => {
    const path = join(folder, 'looks-like-svg.webp');
    const webp = await scene().withXmp(svg().toString('latin1')).webp().toBuffer();
    await writeFile(path, webp);
    expect(await inspectImage(path, DEFAULT_LIMITS)).toMatchObject({ format: 'webp', width: 160, height: 120 });
  });
});

const accepts = async (bytes: Buffer, limits: Partial<typeof DEFAULT_LIMITS>) => {
  const path = join(folder, 'limited');
  await writeFile(path, bytes);
  return inspectImage(path, { ...DEFAULT_LIMITS, ...limits });
};

describe('limits', () => {
  it('hold at the pixel, and not one before', async () => {
    const png = flatPng(200, 100);
    await expect(accepts(png, { maxMegapixels: 0.02, maxSide: 200 })).resolves.toMatchObject({ width: 200 });
    await expect(accepts(png, { maxMegapixels: 0.019_999 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    await expect(accepts(png, { maxSide: 199 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    await expect(accepts(png, { maxDecodedBytes: 59_999 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    await expect(accepts(png, { maxMegapixels: 0, maxSide: 0 })).resolves.toMatchObject({ width: 200 });
  });

  it('let a real profile and real texts through', async () => {
    const text = pngChunk('tEXt', Buffer.from(`Comment\0${'a note '.repeat(1000)}`));
    await expect(accepts(flatPng(20, 10, [text]), {})).resolves.toMatchObject({ format: 'png' });
    const profiled = await scene().withIccProfile('p3').png().toBuffer();
    await expect(accepts(profiled, {})).resolves.toMatchObject({ hasProfile: true });
  });

  it('C26: a type that is not allowed is refused by its content, whatever the name says', async () => {
    await expect(accepts(flatPng(20, 10), { allowedMimeTypes: ['image/jpeg'] })).rejects.toMatchObject({
      code: 'UNSUPPORTED_IMAGE',
      message: 'PNG pictures are not taken here. Send one of: image/jpeg.',
    });
  });
});
