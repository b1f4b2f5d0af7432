import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeComparison } from '../src/imaging/compare.ts';
import { bmp24 } from './fixtures/zoo/bmp.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'heirloom-compare-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const RED = { r: 220, g: 30, b: 30 };
const BLUE = { r: 30, g: 30, b: 220 };
const plain = (width: number, height: number, background: object) =>
  sharp({ create: { width, height, channels: 3, background: background as never } });
const { signal } = new AbortController();

async function file(name: string, bytes: Buffer | Sharp): Promise<{ path: string; format: string }> {
  const path = join(dir, name);
  await writeFile(path, Buffer.isBuffer(bytes) ? bytes : await bytes.toBuffer());
  return { path, format: name.split('.').at(-1) ?? '' };
}

/** The colour of a pixel, to within what JPEG does. */
async function expectColour(path: string, left: number, top: number, { r, g, b }: typeof RED): Promise<void> {
  const pixel = await sharp(path).extract({ left, top, width: 1, height: 1 }).raw().toBuffer();
  for (const [at, want] of [r, g, b].entries()) expect(Math.abs((pixel[at] ?? -99) - want)).toBeLessThan(12);
}

const WHITE = { r: 255, g: 255, b: 255 };

describe('the before/after picture', () => {
  it('puts before left and after right, at the height of the taller one, a white line between', async () => {
    const before = await file('a.png', plain(80, 50, RED).png());
    const after = await file('b.jpeg', plain(160, 100, BLUE).jpeg());
    const path = join(dir, 'scaled.jpg');
    expect(await writeComparison({ before, after, path, signal })).toEqual({ width: 324, height: 100 });
    expect(await sharp(path).metadata()).toMatchObject({ format: 'jpeg', width: 324, height: 100, space: 'srgb' });
    await expectColour(path, 150, 95, RED);
    await expectColour(path, 162, 50, WHITE);
    await expectColour(path, 175, 5, BLUE);
  });

  it('puts before above after where they are wide', async () => {
    const before = await file('wide-a.png', plain(200, 100, RED).png());
    const after = await file('wide-b.png', plain(200, 100, BLUE).png());
    const path = join(dir, 'wide.jpg');
    expect(await writeComparison({ before, after, path, signal })).toEqual({ width: 200, height: 204 });
    await expectColour(path, 190, 90, RED);
    await expectColour(path, 100, 102, WHITE);
    await expectColour(path, 10, 115, BLUE);
  });

  it('shows below what changed most in full size where both had to be made smaller, and frames it', async () => {
    const [width, height] = [3200, 2400];
    const lines = Buffer.alloc(width * height, 128);
    // Scratches of one pixel in one place; a change of tone everywhere is no reason to look elsewhere.
    for (let y = 1700; y < 1900; y += 1) for (let x = 2300; x < 2500; x += 10) lines[y * width + x] = 255;
    const raw = { width, height, channels: 1 as const };
    const before = await file('scratched.png', sharp(lines, { raw }).png());
    const after = await file('mended.png', plain(width, height, { r: 150, g: 150, b: 150 }).png());
    const path = join(dir, 'detail.jpg');
    // Two of 1,920 × 1,440, and below them two parts of 1,920 × 960.
    expect(await writeComparison({ before, after, path, signal })).toEqual({ width: 3844, height: 1440 + 4 + 960 });
    const part = { left: 0, top: 1444, width: 1920, height: 960 };
    const greys = (region: typeof part) => sharp(path).extract(region).greyscale().raw().toBuffer();
    expect((await greys(part)).filter((level) => level > 230).length).toBeGreaterThan(200 * 18);
    expect((await greys({ ...part, left: 1924 })).filter((level) => level > 170)).toHaveLength(0);
    // The frame is where the scratches are: nothing else is light in the mended one.
    const framed = await greys({ left: 1924, top: 0, width: 1920, height: 1440 });
    const light = [...framed.entries()].filter(([, level]) => level > 230).map(([at]) => at);
    const [first = 0, last = 0] = [light[0], light.at(-1)];
    expect(first % 1920).toBeLessThan(2300 * 0.6);
    expect(Math.floor(first / 1920)).toBeLessThan(1700 * 0.6);
    expect(Math.floor(last / 1920)).toBeGreaterThan(1900 * 0.6);
  });

  it('turns both upright', async () => {
    const top = plain(40, 20, RED).composite([{ input: await plain(40, 10, BLUE).png().toBuffer(), left: 0, top: 10 }]);
    const upright = await top.png().toBuffer();
    // Stored lying on its side, to be turned by 90° clockwise for showing.
    const lying = sharp(await sharp(upright).rotate(270).png().toBuffer()).withMetadata({ orientation: 6 });
    const before = await file('c.jpeg', lying.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }));
    const after = await file('d.png', upright);
    const path = join(dir, 'upright.jpg');
    expect(await writeComparison({ before, after, path, signal })).toEqual({ width: 40, height: 44 });
    for (const from of [0, 24]) {
      await expectColour(path, 20, from + 3, RED);
      await expectColour(path, 20, from + 16, BLUE);
    }
  });

  it('takes a BMP, 16 bits, grey and transparency', async () => {
    const before = await file(
      'e.bmp',
      bmp24(
        31,
        20,
        Uint8Array.from({ length: 31 * 20 * 3 }, (_, at) => [220, 30, 30][at % 3] ?? 0),
      ),
    );
    const sides = [
      plain(30, 20, BLUE).toColourspace('rgb16').png(),
      plain(30, 20, BLUE).greyscale().png(),
      plain(30, 20, BLUE).ensureAlpha(0).png(),
    ];
    for (const [index, side] of sides.entries()) {
      const path = join(dir, `mixed-${index}.jpg`);
      expect(await writeComparison({ before, after: await file(`f${index}.png`, side), path, signal })).toEqual({
        width: 66,
        height: 20,
      });
      await expectColour(path, 15, 10, RED);
      if (index === 2) await expectColour(path, 50, 10, WHITE);
    }
  });

  it('stays within 3,840 × 2,160 together', async () => {
    const tall = await file('g.png', plain(100, 2600, RED).png());
    const path = join(dir, 'tall.jpg');
    expect(await writeComparison({ before: tall, after: tall, path, signal })).toEqual({ width: 170, height: 2160 });
    const wide = await file('h.png', plain(12_000, 20, RED).png());
    expect(await writeComparison({ before: wide, after: wide, path, signal })).toEqual({
      width: 3840,
      height: 6 + 4 + 6 + 4 + 20,
    });
  });

  it('stops when it is told to', async () => {
    const side = await file('i.png', plain(10, 10, RED).png());
    const aborted = AbortSignal.abort(new Error('enough'));
    const path = join(dir, 'never.jpg');
    await expect(writeComparison({ before: side, after: side, path, signal: aborted })).rejects.toThrow('enough');
  });
});
