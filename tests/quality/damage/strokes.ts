/** A point and the width of the line there, pixels. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Pixels that a shape covers, by index, with the share 0–1 of each. */
export type Coverage = Map<number, number>;

function distance(x: number, y: number, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / length));
  return Math.hypot(x - a.x - along * dx, y - a.y - along * dy);
}

/** A line of round ends through the points, smooth at its edges (a one-pixel ramp). One point makes a dot. */
export function polyline(
  points: readonly Point[],
  width: number,
  size: { readonly width: number; readonly height: number },
): Coverage {
  const covered: Coverage = new Map();
  const reach = width / 2 + 1;
  points.forEach((from, index) => {
    const to = points[index + 1] ?? (points.length === 1 ? from : undefined);
    if (to === undefined) return;
    const bottom = Math.min(size.height - 1, Math.ceil(Math.max(from.y, to.y) + reach));
    const right = Math.min(size.width - 1, Math.ceil(Math.max(from.x, to.x) + reach));
    for (let y = Math.max(0, Math.floor(Math.min(from.y, to.y) - reach)); y <= bottom; y++) {
      for (let x = Math.max(0, Math.floor(Math.min(from.x, to.x) - reach)); x <= right; x++) {
        const share = Math.min(1, width / 2 + 0.5 - distance(x, y, from, to));
        const at = y * size.width + x;
        if (share > (covered.get(at) ?? 0)) covered.set(at, share);
      }
    }
  });
  return covered;
}
