import { gaussianKernel, separable } from '../filters.ts';
import { luma, type Picture, type Plane } from '../picture.ts';
import { sameSize } from './psnr.ts';

const RADIUS = 5;
const C1 = 0.01 ** 2;
const C2 = 0.03 ** 2;

/**
 * Structural similarity of the lumas, −1 … 1: Wang, Bovik, Sheikh, Simoncelli, “Image quality assessment: from error
 * visibility to structural similarity”, IEEE Transactions on Image Processing 13(4), 2004. A gaussian window of 11×11
 * pixels with σ 1.5, K₁ 0.01, K₂ 0.03, the mean over all places where the window lies wholly within the picture.
 * @throws Error for a picture smaller than the window.
 */
export function ssim(picture: Picture, clean: Picture): number {
  sameSize(picture, clean);
  const { width, height } = clean;
  if (width <= 2 * RADIUS || height <= 2 * RADIUS) throw new Error('SSIM needs a picture of at least 11×11 pixels.');
  const kernel = gaussianKernel(1.5, RADIUS);
  const [x, y] = [luma(picture), luma(clean)];
  const smooth = (of: (i: number) => number): Plane =>
    separable(
      x.map((_, i) => of(i)),
      clean,
      kernel,
    );
  const mx = separable(x, clean, kernel);
  const my = separable(y, clean, kernel);
  const xx = smooth((i) => x[i]! * x[i]!);
  const yy = smooth((i) => y[i]! * y[i]!);
  const xy = smooth((i) => x[i]! * y[i]!);
  let sum = 0;
  for (let row = RADIUS; row < height - RADIUS; row++) {
    for (let column = RADIUS; column < width - RADIUS; column++) {
      const i = row * width + column;
      const means = mx[i]! * my[i]!;
      const squares = mx[i]! ** 2 + my[i]! ** 2;
      const structure = (2 * (xy[i]! - means) + C2) / (xx[i]! + yy[i]! - squares + C2);
      sum += ((2 * means + C1) / (squares + C1)) * structure;
    }
  }
  return sum / ((width - 2 * RADIUS) * (height - 2 * RADIUS));
}
