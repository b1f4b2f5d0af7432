import { extreme, gaussianBlur } from '../filters.ts';
import { luma, mapPlanes, type Picture, type Plane } from '../picture.ts';

export interface TopHat {
  /** Half the side of the square; damage up to 2·radius wide is found. */
  readonly radius: number;
  /** A top hat higher than this is damage, 0–1. */
  readonly threshold: number;
  /** Share of the picture from which the mask is taken for texture and left out. */
  readonly cap: number;
}

/** Thin light and dark shapes: the luma less its opening, its closing less the luma; widened by a pixel. 1 = damage. */
export function topHatMask(picture: Picture, { radius, threshold, cap }: TopHat): Plane {
  const plane = gaussianBlur(luma(picture), picture, 0.6);
  const opened = extreme(extreme(plane, picture, radius, 'min'), picture, radius, 'max');
  const closed = extreme(extreme(plane, picture, radius, 'max'), picture, radius, 'min');
  const found = plane.map((level, i) => (Math.max(level - opened[i]!, closed[i]! - level) > threshold ? 1 : 0));
  const share = found.reduce((sum, one) => sum + one, 0) / found.length;
  return share > cap ? found.fill(0) : extreme(found, picture, 1, 'max');
}

/**
 * Fills a mask from its rim inwards: each pixel is the mean of the known ones within 4 pixels, weighted by 1/distance².
 * Telea's fast marching (2004) without its gradient term.
 */
export function fillFromRim(picture: Picture, mask: Plane): Picture {
  const { width, height } = picture;
  const known = mask.map((one) => 1 - one);
  const { planes } = mapPlanes(picture, (plane) => plane.slice());
  let open = [...mask.keys()].filter((i) => mask[i] === 1);
  while (open.length > 0) {
    const ring: { at: number; levels: number[] }[] = [];
    const rest: number[] = [];
    for (const at of open) {
      const [x, y] = [at % width, Math.floor(at / width)];
      const beside =
        (x > 0 && known[at - 1] === 1) ||
        (x < width - 1 && known[at + 1] === 1) ||
        (y > 0 && known[at - width] === 1) ||
        (y < height - 1 && known[at + width] === 1);
      if (!beside) {
        rest.push(at);
        continue;
      }
      const sums = [0, 0, 0];
      let all = 0;
      for (let dy = -4; dy <= 4; dy++) {
        for (let dx = -4; dx <= 4; dx++) {
          const [px, py] = [x + dx, y + dy];
          if (px < 0 || py < 0 || px >= width || py >= height || known[py * width + px] !== 1) continue;
          const weight = 1 / (dx * dx + dy * dy);
          all += weight;
          planes.forEach((plane, c) => (sums[c] = sums[c]! + weight * plane[py * width + px]!));
        }
      }
      ring.push({ at, levels: sums.map((sum) => sum / all) });
    }
    // A mask that covers everything leaves nothing to fill from.
    if (ring.length === 0) break;
    for (const { at, levels } of ring) {
      known[at] = 1;
      planes.forEach((plane, c) => (plane[at] = levels[c]!));
    }
    open = rest;
  }
  return { width, height, planes };
}
