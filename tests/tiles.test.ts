import { describe, expect, it } from 'vitest';
import { cutAxis, fadeIn, planTiles, reflect, tileSize, windowOf, type TileShape } from '../src/imaging/tiles.ts';

const LENGTHS = [1, 2, 7, 8, 9, 63, 64, 65, 127, 128, 129, 259, 513, 1000, 4099, 16_384];
const SHAPES: readonly TileShape[] = [
  { size: 64, overlap: 0, multiple: 1 },
  { size: 64, overlap: 16, multiple: 8 },
  { size: 128, overlap: 32, multiple: 16 },
  { size: 250, overlap: 30, multiple: 8 },
  { size: 512, overlap: 48, multiple: 16 },
];
const CASES = SHAPES.flatMap((shape) => LENGTHS.map((length) => ({ length, ...shape })));

describe('tiles', () => {
  it.each(CASES)('cut $length pixels into $size with $overlap in common, multiples of $multiple', (given) => {
    const { length, overlap, multiple } = given;
    const { size, starts, seams } = cutAxis(length, given);
    expect([size, ...starts].filter((value) => value % multiple !== 0)).toEqual([]);
    expect(size).toBeLessThanOrEqual(Math.max(given.size, multiple));
    expect(starts[0]).toBe(0);
    // Beyond the picture there is only what fills it up to the multiple.
    expect(starts.at(-1)! + size).toBe(Math.ceil(length / multiple) * multiple);
    expect(seams).toHaveLength(starts.length - 1);
    for (const [i, { from, to }] of seams.entries()) {
      const end = starts[i]! + size;
      expect(end - starts[i + 1]!).toBeGreaterThanOrEqual(overlap);
      expect(from).toBeGreaterThanOrEqual(starts[i + 1]! + Math.floor(overlap / 4));
      expect(to).toBeLessThanOrEqual(end - Math.floor(overlap / 4));
      expect(to).toBeGreaterThanOrEqual(from);
      expect(to).toBeLessThanOrEqual(length);
      expect(from).toBeGreaterThanOrEqual(seams[i - 1]?.to ?? 0);
    }
  });

  it('are as few as possible and no larger than so few need to be', () => {
    const { size, starts } = cutAxis(520, { size: 512, overlap: 32, multiple: 8 });
    expect(starts).toHaveLength(2);
    expect(size).toBe(280);
  });

  it('are counted in reading order', () => {
    const plan = planTiles(300, 200, { size: 128, overlap: 32, multiple: 8 });
    const windows = Array.from({ length: plan.count }, (_, index) => windowOf(plan, index));
    expect(windows.map(({ y0 }) => y0)).toEqual(windows.map(({ y0 }) => y0).toSorted((a, b) => a - b));
    expect(new Set(windows.map(({ x0, y0 }) => `${x0} ${y0}`)).size).toBe(plan.count);
  });

  it('get smaller with memory and time, but not so small that the overlap is all there is', () => {
    const wanted = { size: 512, overlap: 32, multiple: 16 };
    const plenty = { wanted, bytes: 1e9, bytesPerPixel: 100, milliseconds: 1e4, msPerMegapixel: 100 };
    expect(tileSize(plenty)).toBe(512);
    expect(tileSize({ ...plenty, bytes: 90e6, bytesPerPixel: 1000 })).toBe(288);
    expect(tileSize({ ...plenty, milliseconds: 200, msPerMegapixel: 2000 })).toBe(304);
    expect(tileSize({ ...plenty, bytes: 1 })).toBe(128);
  });

  it('go on beyond the picture as in a mirror', () => {
    expect(Array.from({ length: 9 }, (_, i) => reflect(i - 3, 3))).toEqual([2, 1, 0, 0, 1, 2, 2, 1, 0]);
    expect(Array.from({ length: 4 }, (_, i) => reflect(i, 1))).toEqual([0, 0, 0, 0]);
  });

  it('fade into each other smoothly, each share the complement of its mirror', () => {
    const fade = fadeIn(8);
    expect(fade[0]).toBeLessThan(0.02);
    for (let i = 0; i < 8; i++) {
      expect(fade[i]! + fade[7 - i]!).toBeCloseTo(1);
    }
    expect([...fade].toSorted((a, b) => a - b)).toEqual([...fade]);
  });
});
