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
    const before = await file('a.png', plain(100, 50, RED).png());
    const after = await file('b.jpeg', plain(200, 100, BLUE).jpeg());
    const path = join(dir, 'scaled.jpg');
    expect(await writeComparison({ before, after, path, signal })).toEqual({ width: 404, height: 100 });
    expect(await sharp(path).metadata()).toMatchObject({ format: 'jpeg', width: 404, height: 100, space: 'srgb' });
    await expectColour(path, 190, 95, RED);
    await expectColour(path, 202, 50, WHITE);
    await expectColour(path, 215, 5, BLUE);
  });

  it('turns both upright', async () => {
    const top = plain(40, 20, RED).composite([{ input: await plain(40, 10, BLUE).png().toBuffer(), left: 0, top: 10 }]);
    const upright = await top.png().toBuffer();
    // Stored lying on its side, to be turned by 90° clockwise for showing.
    const lying = sharp(await sharp(upright).rotate(270).png().toBuffer()).withMetadata({ orientation: 6 });
    const before = await file('c.jpeg', lying.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }));
    const after = await file('d.png', upright);
    const path = join(dir, 'upright.jpg');
    expect(await writeComparison({ before, after, path, signal })).toEqual({ width: 84, height: 20 });
    for (const left of [20, 64]) {
      await expectColour(path, left, 3, RED);
      await expectColour(path, left, 16, BLUE);
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
        width: 65,
        height: 20,
      });
      await expectColour(path, 15, 10, RED);
      if (index === 2) await expectColour(path, 50, 10, WHITE);
    }
  });

  it('stays within 2,160 pixels of height and 16,000 of width', async () => {
    const tall = await file('g.png', plain(100, 3000, RED).png());
    const path = join(dir, 'tall.jpg');
    expect(await writeComparison({ before: tall, after: tall, path, signal })).toEqual({ width: 148, height: 2160 });
    const wide = await file('h.png', plain(12_000, 20, RED).png());
    const { width } = await writeComparison({ before: wide, after: wide, path, signal });
    expect(width).toBeLessThanOrEqual(16_004);
  });

  it('stops when it is told to', async () => {
    const side = await file('i.png', plain(10, 10, RED).png());
    const aborted = AbortSignal.abort(new Error('enough'));
    const path = join(dir, 'never.jpg');
    await expect(writeComparison({ before: side, after: side, path, signal: aborted })).rejects.toThrow('enough');
  });
});
