export interface StencilEntry {
  readonly dx: number;
  readonly dy: number;
  readonly factor: number;
}

const SIDES = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
] as const;

/** The Laplacian of the grid at one pixel: how many neighbours it has, and −1 for each. */
function laplacian(x: number, y: number, width: number, height: number): StencilEntry[] {
  const sides = SIDES.filter(([dx, dy]) => x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height);
  return [{ dx: 0, dy: 0, factor: sides.length }, ...sides.map(([dx, dy]) => ({ dx, dy, factor: -1 }))];
}

function squared(x: number, y: number, width: number, height: number): StencilEntry[] {
  const sums = new Map<string, StencilEntry>();
  for (const near of laplacian(x, y, width, height)) {
    for (const far of laplacian(x + near.dx, y + near.dy, width, height)) {
      const dx = near.dx + far.dx;
      const dy = near.dy + far.dy;
      const before = sums.get(`${dx},${dy}`)?.factor ?? 0;
      sums.set(`${dx},${dy}`, { dx, dy, factor: before + near.factor * far.factor });
    }
  }
  return [...sums.values()];
}

/** Everywhere but at the edges of a picture. */
const INSIDE = squared(2, 2, 5, 5);

/** The square of the Laplacian at one pixel: up to 13 factors; symmetric also at the edges of the picture. */
export function biharmonicRow(x: number, y: number, width: number, height: number): readonly StencilEntry[] {
  const isInside = x >= 2 && y >= 2 && x < width - 2 && y < height - 2;
  return isInside ? INSIDE : squared(x, y, width, height);
}
