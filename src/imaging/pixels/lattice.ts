import type { Tile } from './tile.ts';

/** Pixels from which every second square says what the whole picture would, and from which every fourth does. */
const HALF = 2e6;
const QUARTER = 8e6;

/**
 * Whether a tile stands for those around it, in a picture that is cut into squares of `side` pixels: of any two, or four, squares that
 * lie together one does. In a small picture every tile counts.
 */
export function standsForOthers(
  { width, height }: { readonly width: number; readonly height: number },
  { x0, y0 }: Tile,
  side: number,
): boolean {
  const pixels = width * height;
  if (pixels <= HALF) return true;
  const [column, row] = [Math.floor(x0 / side), Math.floor(y0 / side)];
  return pixels <= QUARTER ? (column + row) % 2 === 0 : (column + 2 * row) % 4 === 0;
}
