import { extreme } from '../filters.ts';
import type { Picture, Plane } from '../picture.ts';

/** Pixels that were rightly found, wrongly found and missed. */
export interface MaskCount {
  readonly right: number;
  readonly wrong: number;
  readonly missed: number;
}

export interface MaskTruth {
  /** 1 where there is damage that can be seen. */
  readonly damaged: Plane;
  /** 1 where a flagged pixel is neither right nor wrong: soft edges, damage that cannot be seen. */
  readonly open: Plane;
}

/** Covered by so much, a pixel is damaged; by less than the second, it is not. */
const DAMAGED = 0.3;
const CLEAN = 0.05;
/** A cover that changes no channel by so much (0–1) cannot be seen: white on white. */
const VISIBLE = 10 / 255;

/** @param before,after the picture without and with the scratches, as far as it is known. */
export function maskTruth(opacity: Plane, before: Picture, after: Picture): MaskTruth {
  const seen = opacity.map((_, i) =>
    Math.max(...before.planes.map((plane, c) => Math.abs(plane[i]! - after.planes[c]![i]!))) >= VISIBLE ? 1 : 0,
  );
  const damaged = opacity.map((cover, i) => (cover >= DAMAGED && seen[i] === 1 ? 1 : 0));
  return { damaged, open: opacity.map((cover, i) => (cover >= CLEAN && damaged[i] === 0 ? 1 : 0)) };
}

/**
 * Counts a mask of probabilities 0–1, cut at ½, pixel by pixel. `reach` pixels beside the damage a flagged pixel is open too:
 * 0 is the strict figure, 1 forgives a mask that was widened for filling.
 */
export function countMask(mask: Plane, { damaged, open }: MaskTruth, size: Picture, reach = 0): MaskCount {
  const near = reach === 0 ? damaged : extreme(damaged, size, reach, 'max');
  let [right, wrong, missed] = [0, 0, 0];
  for (let i = 0; i < mask.length; i++) {
    const flagged = mask[i]! >= 0.5;
    if (damaged[i] === 1 && flagged) right++;
    else if (damaged[i] === 1) missed++;
    else if (flagged && open[i] === 0 && near[i] === 0) wrong++;
  }
  return { right, wrong, missed };
}

/** The harmonic mean of precision and recall over all pictures together. */
export function f1(counts: readonly MaskCount[]): number {
  const sum = (key: keyof MaskCount): number => counts.reduce((all, count) => all + count[key], 0);
  const right = 2 * sum('right');
  return right === 0 ? 0 : right / (right + sum('wrong') + sum('missed'));
}
