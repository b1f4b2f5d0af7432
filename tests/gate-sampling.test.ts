import { describe, expect, it } from 'vitest';
import { harmTile } from '../src/imaging/pixels/harm.ts';
import { nthSmallest } from '../src/imaging/pixels/nth-smallest.ts';
import { createRaster } from '../src/imaging/raster.ts';

const SQUARE = 256;

/** Which squares of a picture of so many are compared, row by row. */
function lookedAt(columns: number, rows: number, everywhere = false): boolean[][] {
  const picture = createRaster({ width: columns * SQUARE, height: rows * SQUARE, channels: 1, depth: 8 });
  const input = { before: picture, after: picture, everywhere };
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (__, column) => {
      const [x0, y0] = [column * SQUARE, row * SQUARE];
      return harmTile(input, { x0, y0, x1: x0 + SQUARE, y1: y0 + SQUARE }) !== undefined;
    }),
  );
}

describe('a large picture is compared in places', () => {
  it('a small one in all of them, and so one where the work was done in places', () => {
    expect(lookedAt(5, 6).flat()).not.toContain(false);
    expect(lookedAt(16, 9, true).flat()).not.toContain(false);
  });

  it('of two squares side by side, or one below the other, one counts from 2 megapixels on', () => {
    const squares = lookedAt(8, 5);
    const pairs = squares.flatMap((row, y) =>
      row.flatMap((one, x) => [[one, row[x + 1]] as const, [one, squares[y + 1]?.[x]] as const]),
    );
    const whole = pairs.filter(([, other]) => other !== undefined);
    expect(whole.length).toBeGreaterThan(50);
    expect(whole.filter(([one, other]) => one === other)).toEqual([]);
  });

  it('of any four that touch, one counts from 8 megapixels on', () => {
    const squares = lookedAt(16, 9);
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 15; x++) {
        const four = [squares[y]![x], squares[y]![x + 1], squares[y + 1]![x], squares[y + 1]![x + 1]];
        expect([x, y, four.filter(Boolean).length]).toEqual([x, y, 1]);
      }
    }
  });
});

describe('nthSmallest', () => {
  it('answers what a sorted copy has in that place, also of equal values, and of one', () => {
    for (const length of [1, 2, 3, 10, 257]) {
      const values = Float32Array.from({ length }, (_, i) => Math.round(40 * Math.sin(i * 12.9898) ** 2));
      const sorted = values.toSorted();
      for (let rank = 0; rank < length; rank++) expect(nthSmallest(values.slice(), rank)).toBe(sorted[rank]);
    }
  });
});
