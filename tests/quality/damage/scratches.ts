import { mapPlanes, type Picture, type Plane } from '../picture.ts';
import type { Random } from '../random.ts';
import { pasteFilmDamage, type FilmMask } from './film-masks.ts';
import { polyline, type Coverage, type Point } from './strokes.ts';

export interface Scratches {
  /** How many in 0.4 megapixels. */
  readonly lines: number;
  readonly hairs: number;
  readonly specks: number;
  /** Film-damage masks laid over, in 0.4 megapixels; none where there are no masks. With them, half the lines and hairs are drawn. */
  readonly films: number;
}

/** A damaged picture and how far each pixel is covered, 0–1. */
export interface Scratched {
  readonly picture: Picture;
  readonly opacity: Plane;
}

const AREA = 400_000;

/** A wandering line of `length` pixels; `bend` is the deviation of its turn per step of a fifteenth, radians. */
function wander(size: { width: number; height: number }, length: number, bend: number, random: Random): Point[] {
  let x = random.between(0, size.width);
  let y = random.between(0, size.height);
  let angle = random.between(0, 2 * Math.PI);
  return Array.from({ length: 16 }, (_, step) => {
    if (step > 0) {
      angle += bend * random.normal();
      x += (length / 15) * Math.cos(angle);
      y += (length / 15) * Math.sin(angle);
    }
    return { x, y };
  });
}

/** Light like the paper under the picture, or dark like dirt upon it. */
function colour(lightShare: number, random: Random): readonly [number, number, number] {
  const light = random.uniform() < lightShare;
  const level = light ? random.between(0.82, 1) : random.between(0.02, 0.25);
  const warm = random.between(0, 0.08);
  return [level, level - warm * 0.4, Math.max(0, level - warm)];
}

/** Draws scratches (lines of 1–3 px), hairs and dust over a picture; what lies beneath shows through a little. */
export function addScratches(
  picture: Picture,
  { lines, hairs, specks, films }: Scratches,
  random: Random,
  masks: readonly FilmMask[] = [],
): Scratched {
  const { width, height } = picture;
  const { planes } = mapPlanes(picture, (plane) => plane.slice());
  const opacity = new Float32Array(width * height);
  const lay = (coverage: Coverage, tint: readonly number[], strength: number): void => {
    for (const [at, share] of coverage) {
      const alpha = share * strength;
      planes.forEach((plane, channel) => (plane[at] = plane[at]! + alpha * (tint[channel]! - plane[at]!)));
      opacity[at] = 1 - (1 - opacity[at]!) * (1 - alpha);
    }
  };
  const count = (per: number): number => Math.round((per * width * height) / AREA);
  // Where film damage is laid over, half as much is drawn, so that a picture carries about the same.
  const drawn = masks.length === 0 ? 1 : 0.5;
  const long = Math.hypot(width, height);
  for (let i = 0; i < count(lines * drawn); i++) {
    const points = wander(picture, long * random.between(0.15, 0.6), 0.06, random);
    lay(polyline(points, random.between(1, 3), picture), colour(0.85, random), random.between(0.6, 1));
  }
  for (let i = 0; i < count(hairs * drawn); i++) {
    const points = wander(picture, random.between(30, 140), 0.35, random);
    lay(polyline(points, random.between(0.8, 1.6), picture), colour(0.5, random), random.between(0.5, 0.95));
  }
  for (let i = 0; i < count(specks); i++) {
    const at = { x: random.between(0, width), y: random.between(0, height) };
    const second = { x: at.x + random.normal(), y: at.y + random.normal() };
    lay(polyline([at, second], random.between(1, 4), picture), colour(0.7, random), random.between(0.6, 1));
  }
  for (let i = 0; i < (masks.length === 0 ? 0 : count(films)); i++) {
    lay(pasteFilmDamage(masks[random.whole(masks.length)]!, picture, random), colour(0.7, random), 0.95);
  }
  return { picture: { width, height, planes }, opacity };
}
