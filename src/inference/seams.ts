import type { Tile } from '../imaging/pixels/tile.ts';
import { fadeIn, windowOf, type TileAxis, type TilePlan } from '../imaging/tiles.ts';
import type { Answer } from './scatter.ts';

export interface Seams {
  /**
   * Blends the answer for a window with those of its left and upper neighbours, in place. Windows come in reading order.
   *
   * @returns the part of the target that is final with it, in pixels of the target: together they cover it once.
   */
  blend(index: number, answer: Answer): Tile;
}

/** A piece of an answer that a later one is blended with; its planes one behind the other. */
interface Strip {
  readonly planes: Float32Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Feathers windows into each other. What the next windows need is kept as floats (the right edge of the last window, the lower
 * edge of a row of them), so that a pixel is rounded and written once, and the shares at it always sum to 1.
 */
export function createSeams(plan: TilePlan, scale: number, count: number): Seams {
  const { columns, rows } = plan;
  const width = columns.length * scale;
  const longest = Math.max(0, ...rows.seams.map(({ from, to }) => (to - from) * scale));
  const below: Strip = { planes: new Float32Array(width * longest * count), width, height: longest };
  let beside: Strip = { planes: new Float32Array(0), width: 0, height: 0 };

  return {
    blend(index, answer) {
      const column = index % columns.starts.length;
      const row = Math.floor(index / columns.starts.length);
      const { x0, y0 } = windowOf(plan, index);
      const [left, right] = [seamAt(columns, column - 1, scale), seamAt(columns, column, scale)];
      const [upper, lower] = [seamAt(rows, row - 1, scale), seamAt(rows, row, scale)];
      const originX = x0 * scale;
      const originY = y0 * scale;

      if (left !== undefined) {
        const fade = fadeIn(left.to - left.from);
        each(answer, count, left.from - originX, 0, beside.width, answer.height, (i, x, y, plane) => {
          const old = beside.planes[(plane * beside.height + y) * beside.width + x]!;
          answer.planes[i] = old + fade[x]! * (answer.planes[i]! - old);
        });
      }
      if (right !== undefined) {
        const strip = { width: right.to - right.from, height: answer.height };
        beside = { ...strip, planes: new Float32Array(strip.width * strip.height * count) };
        each(answer, count, right.from - originX, 0, strip.width, strip.height, (i, x, y, plane) => {
          beside.planes[(plane * beside.height + y) * beside.width + x] = answer.planes[i]!;
        });
      }
      const area: Tile = {
        x0: left?.from ?? 0,
        y0: upper?.from ?? 0,
        x1: right?.from ?? width,
        y1: lower?.from ?? rows.length * scale,
      };
      const wide = area.x1 - area.x0;
      if (upper !== undefined) {
        const fade = fadeIn(upper.to - upper.from);
        each(answer, count, area.x0 - originX, upper.from - originY, wide, fade.length, (i, x, y, plane) => {
          const old = below.planes[(plane * below.height + y) * width + area.x0 + x]!;
          answer.planes[i] = old + fade[y]! * (answer.planes[i]! - old);
        });
      }
      if (lower !== undefined) {
        const high = lower.to - lower.from;
        each(answer, count, area.x0 - originX, lower.from - originY, wide, high, (i, x, y, plane) => {
          below.planes[(plane * below.height + y) * width + area.x0 + x] = answer.planes[i]!;
        });
      }
      return area;
    },
  };
}

/** The seam between a window and the next, in pixels of the target. */
function seamAt(axis: TileAxis, index: number, scale: number): { from: number; to: number } | undefined {
  const seam = axis.seams[index];
  return seam && { from: seam.from * scale, to: seam.to * scale };
}

function each(
  { width, height }: Answer,
  count: number,
  x0: number,
  y0: number,
  wide: number,
  high: number,
  visit: (index: number, x: number, y: number, plane: number) => void,
): void {
  for (let plane = 0; plane < count; plane++) {
    for (let y = 0; y < high; y++) {
      const start = (plane * height + y0 + y) * width + x0;
      for (let x = 0; x < wide; x++) visit(start + x, x, y, plane);
    }
  }
}
