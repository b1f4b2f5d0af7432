import type { Picture, Plane } from '../picture.ts';

/** @throws Error for pictures of two sizes. */
export function sameSize(a: Picture, b: Picture): void {
  if (a.width !== b.width || a.height !== b.height) {
    throw new Error(`A picture of ${a.width}×${a.height} is compared with one of ${b.width}×${b.height}.`);
  }
}

/** dB at a mean square error of levels 0–1; the same picture has 99, so that means stay finite. */
const decibels = (sum: number, count: number): number => Math.min(99, -10 * Math.log10(Math.max(sum / count, 1e-30)));

function squares(plane: Plane, other: Plane, gain = 1, offset = 0): number {
  let sum = 0;
  for (let i = 0; i < plane.length; i++) sum += (gain * plane[i]! + offset - other[i]!) ** 2;
  return sum;
}

/** Peak signal-to-noise ratio over all samples of R, G and B, dB; 99 at most. */
export function psnr(picture: Picture, clean: Picture): number {
  sameSize(picture, clean);
  const sum = picture.planes.reduce((all, plane, c) => all + squares(plane, clean.planes[c]!), 0);
  return decibels(sum, 3 * clean.width * clean.height);
}

/** Least squares of `gain`·level + `offset` against the other plane. */
function fit(plane: Plane, other: Plane): { gain: number; offset: number } {
  const count = plane.length;
  let [x, y, xx, xy] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    x += plane[i]!;
    y += other[i]!;
    xx += plane[i]! ** 2;
    xy += plane[i]! * other[i]!;
  }
  const spread = xx / count - (x / count) ** 2;
  const gain = spread < 1e-12 ? 0 : (xy / count - (x / count) * (y / count)) / spread;
  return { gain, offset: y / count - gain * (x / count) };
}

/** PSNR after the best affine fit of each channel to the clean one: how good the picture is but for its tone. */
export function alignedPsnr(picture: Picture, clean: Picture): number {
  sameSize(picture, clean);
  const sum = picture.planes.reduce((all, plane, c) => {
    const { gain, offset } = fit(plane, clean.planes[c]!);
    return all + squares(plane, clean.planes[c]!, gain, offset);
  }, 0);
  return decibels(sum, 3 * clean.width * clean.height);
}
