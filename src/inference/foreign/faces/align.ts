import type { Face, Point } from './face.ts';

/** Turns, enlarges and moves: x′ = a·x − b·y + dx, y′ = b·x + a·y + dy. */
export interface Similarity {
  readonly a: number;
  readonly b: number;
  readonly dx: number;
  readonly dy: number;
}

/** Where eyes, nose and mouth of an aligned face lie, of its side: the template of FFHQ, which GFPGAN, CodeFormer and their kin were trained with. */
export const TEMPLATE: Face['points'] = [
  { x: 0.37691676, y: 0.46864664 },
  { x: 0.62285697, y: 0.46912813 },
  { x: 0.50123859, y: 0.61331904 },
  { x: 0.39308822, y: 0.725411 },
  { x: 0.61150205, y: 0.72490465 },
];

const mean = (points: readonly Point[]): Point => ({
  x: points.reduce((sum, { x }) => sum + x, 0) / points.length,
  y: points.reduce((sum, { y }) => sum + y, 0) / points.length,
});

/** The similarity that takes points nearest to others, by least squares (Umeyama 1991, in the plane). Undefined where all points are one. */
export function similarity(from: readonly Point[], to: readonly Point[]): Similarity | undefined {
  const [centre, target] = [mean(from), mean(to)];
  let [size, along, across] = [0, 0, 0];
  from.forEach((point, i) => {
    const [x, y] = [point.x - centre.x, point.y - centre.y];
    const [u, v] = [to[i]!.x - target.x, to[i]!.y - target.y];
    size += x * x + y * y;
    along += x * u + y * v;
    across += x * v - y * u;
  });
  const [a, b] = [along / size, across / size];
  if (!Number.isFinite(a + b) || a * a + b * b < 1e-12) return undefined;
  return { a, b, dx: target.x - a * centre.x + b * centre.y, dy: target.y - b * centre.x - a * centre.y };
}

/** The way back. */
export function inverse({ a, b, dx, dy }: Similarity): Similarity {
  const size = a * a + b * b;
  const [c, s] = [a / size, -b / size];
  return { a: c, b: s, dx: -(c * dx - s * dy), dy: -(s * dx + c * dy) };
}

export const enlargement = ({ a, b }: Similarity): number => Math.hypot(a, b);

export const moved = ({ a, b, dx, dy }: Similarity, { x, y }: Point): Point => ({
  x: a * x - b * y + dx,
  y: b * x + a * y + dy,
});

/** From the picture to a square of `side` pixels in which the face stands upright, as models want it. */
export const toAligned = ({ points }: Face, side: number): Similarity | undefined =>
  similarity(
    points,
    TEMPLATE.map(({ x, y }) => ({ x: x * side, y: y * side })),
  );
