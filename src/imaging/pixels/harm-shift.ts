import type { Area } from './harm-fine.ts';
import type { Plane } from './planes.ts';

/** Of the equations for the displacement of one picture against the other: f is the first, h the second, both without their mean. */
export interface ShiftSums {
  /** Products of the gradient of f. */
  xx: number;
  xy: number;
  yy: number;
  /** The gradient of f times f and times h. */
  xf: number;
  yf: number;
  xh: number;
  yh: number;
  ff: number;
  fh: number;
}

export function emptyShift(): ShiftSums {
  return { xx: 0, xy: 0, yy: 0, xf: 0, yf: 0, xh: 0, yh: 0, ff: 0, fh: 0 };
}

/** Pixels from a pixel to those around it that stand for the mean. */
const REACH = 2;

/**
 * Sums of the optical-flow equations ∇f·d = f − h (Lucas, Kanade: An iterative image registration technique, 1981). Noise, blur
 * and, without the mean, tone are not correlated with the gradient, so that what is left is displacement.
 */
export function addShift(sums: ShiftSums, a: Plane, b: Plane, { width, height, x0, y0, x1, y1 }: Area): void {
  const margin = REACH + 1;
  const far = REACH * width;
  const rest = (plane: Plane, at: number): number =>
    plane[at]! - (plane[at - REACH]! + plane[at + REACH]! + plane[at - far]! + plane[at + far]!) / 4;
  for (let y = Math.max(margin, y0); y < Math.min(y1, height - margin); y += 2) {
    for (let x = Math.max(margin, x0); x < Math.min(x1, width - margin); x++) {
      const at = y * width + x;
      const gx = (rest(a, at + 1) - rest(a, at - 1)) / 2;
      const gy = (rest(a, at + width) - rest(a, at - width)) / 2;
      const f = rest(a, at);
      const h = rest(b, at);
      sums.xx += gx * gx;
      sums.xy += gx * gy;
      sums.yy += gy * gy;
      sums.xf += gx * f;
      sums.yf += gy * f;
      sums.xh += gx * h;
      sums.yh += gy * h;
      sums.ff += f * f;
      sums.fh += f * h;
    }
  }
}
