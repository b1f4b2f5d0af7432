/** A part of a mask; the ends are exclusive. */
export interface Box {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** Masked pixels nearer than this, in pixels, are one piece of damage. */
const CELL = 8;

/** The boxes round each piece of what a mask covers; a piece larger than `most` on a side is cut into boxes of that size. */
export function boxesOf(mask: Uint8Array, width: number, height: number, most: number): Box[] {
  const columns = Math.ceil(width / CELL);
  const rows = Math.ceil(height / CELL);
  const cells = new Uint8Array(columns * rows);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(y / CELL) * columns;
    for (let x = 0; x < width; x++) if (mask[y * width + x]! > 0) cells[row + Math.floor(x / CELL)] = 1;
  }
  const boxes: Box[] = [];
  for (let start = 0; start < cells.length; start++) {
    if (cells[start] === 0) continue;
    const piece = takePiece(cells, start, columns, rows);
    const whole = {
      x0: piece.x0 * CELL,
      y0: piece.y0 * CELL,
      x1: Math.min(width, piece.x1 * CELL),
      y1: Math.min(height, piece.y1 * CELL),
    };
    for (let y0 = whole.y0; y0 < whole.y1; y0 += most) {
      for (let x0 = whole.x0; x0 < whole.x1; x0 += most) {
        boxes.push({ x0, y0, x1: Math.min(whole.x1, x0 + most), y1: Math.min(whole.y1, y0 + most) });
      }
    }
  }
  return boxes;
}

/** Takes a connected piece (corners count) out of the cells and answers the box round it, in cells. */
function takePiece(cells: Uint8Array, start: number, columns: number, rows: number): Box {
  let [x0, y0, x1, y1] = [columns, rows, 0, 0];
  const waiting = [start];
  cells[start] = 0;
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const x = at % columns;
    const y = (at - x) / columns;
    [x0, y0, x1, y1] = [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)];
    for (let ny = Math.max(0, y - 1); ny <= Math.min(rows - 1, y + 1); ny++) {
      for (let nx = Math.max(0, x - 1); nx <= Math.min(columns - 1, x + 1); nx++) {
        const next = ny * columns + nx;
        if (cells[next] === 0) continue;
        cells[next] = 0;
        waiting.push(next);
      }
    }
  }
  return { x0, y0, x1, y1 };
}
