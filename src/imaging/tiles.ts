import type { Tile } from './pixels/tile.ts';

/** One side of a picture cut into windows of the same size that overlap. All in pixels of the source. */
export interface TileAxis {
  /** Length of each window. */
  readonly size: number;
  /** Where each window begins, from 0; the last one ends at or behind the end of the picture. */
  readonly starts: readonly number[];
  /** Between a window and the next: the first fades out from `from` to `to`, the second in. At least 0 long. */
  readonly seams: readonly { readonly from: number; readonly to: number }[];
  /** Of the picture. */
  readonly length: number;
}

/** A picture cut into windows for a net. Windows are counted in reading order. */
export interface TilePlan {
  readonly columns: TileAxis;
  readonly rows: TileAxis;
  readonly count: number;
}

export interface TileShape {
  /** Longest side of a window, with its overlap. */
  readonly size: number;
  /** How far neighbours overlap at least. */
  readonly overlap: number;
  /** The net's stride: windows begin and end at multiples of it, so that its grid lies the same in all of them. */
  readonly multiple: number;
}

const up = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;
const down = (value: number, multiple: number): number => Math.floor(value / multiple) * multiple;

/**
 * As few windows as the size allows, as small as so few can be, spread evenly. The picture is meant to be filled up to a
 * multiple by reflection and no further: at its borders a net sees what it would see if it were given the whole picture.
 */
export function cutAxis(length: number, { size, overlap, multiple }: TileShape): TileAxis {
  const whole = up(length, multiple);
  const shared = up(overlap, multiple);
  const longest = Math.max(down(size, multiple), 2 * shared, multiple);
  if (whole <= longest) return { size: whole, starts: [0], seams: [], length };
  const count = Math.ceil((whole - shared) / (longest - shared));
  const each = up((whole + (count - 1) * shared) / count, multiple);
  const starts = Array.from({ length: count }, (_, i) => down((i * (whole - each)) / (count - 1), multiple));
  const seams = starts.slice(1).map((start, i) => {
    const end = starts[i]! + each;
    // The middle half of the overlap: its ends are where a net has seen too little of the other side.
    const fade = down((end - start) / 2, 2);
    const from = Math.floor((start + end - fade) / 2);
    return { from, to: from + fade };
  });
  return { size: each, starts, seams, length };
}

export function planTiles(width: number, height: number, shape: TileShape): TilePlan {
  const columns = cutAxis(width, shape);
  const rows = cutAxis(height, shape);
  return { columns, rows, count: columns.starts.length * rows.starts.length };
}

/** Where a window begins and ends; it may reach beyond the right and lower border of the picture. */
export function windowOf({ columns, rows }: TilePlan, index: number): Tile {
  const x0 = columns.starts[index % columns.starts.length]!;
  const y0 = rows.starts[Math.floor(index / columns.starts.length)]!;
  return { x0, y0, x1: x0 + columns.size, y1: y0 + rows.size };
}

/** The share of the later window in each of `length` pixels of a seam: 0 → 1, smooth at both ends. */
export function fadeIn(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const t = (i + 0.5) / length;
    return t * t * (3 - 2 * t);
  });
}

export interface TileBudget {
  /** What the net's maker asks for. */
  readonly wanted: TileShape;
  /** Working memory, in bytes, and what a pixel of a window takes of it. */
  readonly bytes: number;
  readonly bytesPerPixel: number;
  /** How long one window may take, since one that has begun cannot be stopped. */
  readonly milliseconds: number;
  readonly msPerMegapixel: number;
}

/** A net spends nearly everything on the overlap if its windows are smaller than this beside it. */
const LEAST_CORE = 64;

/** The longest side of a window that stays within memory and time; never so small that the overlap is all there is. */
export function tileSize({ wanted, bytes, bytesPerPixel, milliseconds, msPerMegapixel }: TileBudget): number {
  const { size, overlap, multiple } = wanted;
  const pixels = Math.min(bytes / bytesPerPixel, (1e6 * milliseconds) / Math.max(1, msPerMegapixel));
  const least = up(2 * overlap + LEAST_CORE, multiple);
  return Math.min(size, Math.max(least, down(Math.sqrt(pixels), multiple)));
}

/** Index −1 is 0, −2 is 1, and `length` is `length − 1`: the picture continued as in a mirror at its border. */
export function reflect(index: number, length: number): number {
  const period = 2 * length;
  const at = ((index % period) + period) % period;
  return at < length ? at : period - 1 - at;
}
