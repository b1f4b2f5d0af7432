import { mirrored } from '../filters.ts';
import type { Picture, Plane } from '../picture.ts';

/** Side of the patches that are compared, and of the window in which they are looked for: OpenCV's 7 and 21. */
const PATCH = 3;
const SEARCH = 10;
const BINS = 2048;

interface Size {
  readonly width: number;
  readonly height: number;
}

function padded(
  plane: Plane,
  { width, height }: Size,
  border: number,
): { plane: Plane; width: number; height: number } {
  const [w, h] = [width + 2 * border, height + 2 * border];
  const out = new Float32Array(w * h);
  for (let y = 0; y < h; y++) {
    const row = mirrored(y - border, height) * width;
    for (let x = 0; x < w; x++) out[y * w + x] = plane[row + mirrored(x - border, width)]!;
  }
  return { plane: out, width: w, height: h };
}

/** Sums over squares of 2·PATCH + 1 pixels, by running sums; the border of PATCH pixels stays 0. */
function patchSums(plane: Plane, { width, height }: Size, rows: Plane, out: Plane): void {
  for (let y = 0; y < height; y++) {
    let sum = 0;
    for (let x = 0; x < width; x++) {
      sum += plane[y * width + x]!;
      if (x > 2 * PATCH) sum -= plane[y * width + x - 2 * PATCH - 1]!;
      if (x >= 2 * PATCH) rows[y * width + x - PATCH] = sum;
    }
  }
  for (let x = PATCH; x < width - PATCH; x++) {
    let sum = 0;
    for (let y = 0; y < height; y++) {
      sum += rows[y * width + x]!;
      if (y > 2 * PATCH) sum -= rows[(y - 2 * PATCH - 1) * width + x]!;
      if (y >= 2 * PATCH) out[(y - PATCH) * width + x] = sum;
    }
  }
}

/** The planes share their weights, as the two colour planes do in OpenCV. `h` in 8-bit levels. */
function filterTogether(planes: readonly Plane[], size: Size, h: number): Plane[] {
  const border = SEARCH + PATCH;
  const inputs = planes.map((plane) => padded(plane, size, border).plane);
  const [width, height] = [size.width + 2 * border, size.height + 2 * border];
  const [difference, rows, sums] = [0, 0, 0].map(() => new Float32Array(width * height)) as [Plane, Plane, Plane];
  const totals = inputs.map((input) => input.slice());
  const weights = new Float32Array(width * height).fill(1);
  // exp(−d) below 0.0005 is taken for 0.
  const table = Float32Array.from({ length: BINS }, (_, i) => Math.exp((-8 * i) / BINS));
  const scale = BINS / 8 / ((h / 255) ** 2 * planes.length * (2 * PATCH + 1) ** 2);
  for (let dy = 0; dy <= SEARCH; dy++) {
    for (let dx = dy === 0 ? 1 : -SEARCH; dx <= SEARCH; dx++) {
      const shift = dy * width + dx;
      const last = width * height - dy * width - Math.max(0, dx);
      difference.fill(0);
      for (const input of inputs) {
        for (let i = Math.max(0, -dx); i < last; i++)
          difference[i] = difference[i]! + (input[i]! - input[i + shift]!) ** 2;
      }
      patchSums(difference, { width, height }, rows, sums);
      // A pair counts for both of its ends at once, so both must lie where the sums are whole.
      for (let y = PATCH; y < height - PATCH - dy; y++) {
        const from = y * width + PATCH + Math.max(0, -dx);
        const to = (y + 1) * width - PATCH - Math.max(0, dx);
        for (let i = from; i < to; i++) {
          const bin = sums[i]! * scale;
          const weight = bin < BINS ? table[bin | 0]! : 0;
          rows[i] = weight;
          weights[i] = weights[i]! + weight;
          weights[i + shift] = weights[i + shift]! + weight;
        }
        inputs.forEach((input, p) => {
          const total = totals[p]!;
          for (let i = from; i < to; i++) {
            const weight = rows[i]!;
            total[i] = total[i]! + weight * input[i + shift]!;
            total[i + shift] = total[i + shift]! + weight * input[i]!;
          }
        });
      }
    }
  }
  return totals.map((total) =>
    Float32Array.from({ length: size.width * size.height }, (_, i) => {
      const at = (Math.floor(i / size.width) + border) * width + (i % size.width) + border;
      return total[at]! / weights[at]!;
    }),
  );
}

/**
 * Non-local means: Buades, Coll, Morel, “A non-local algorithm for image denoising”, CVPR 2005, with the parameters of OpenCV's
 * fastNlMeansDenoisingColored(h, hColor, 7, 21): weights exp(−d²/h²) of the mean square difference of 7×7 patches within
 * 21×21 pixels; brightness by itself, the two colour planes together (here Y, Cb, Cr where OpenCV takes L, a, b).
 * @param h for the brightness, 8-bit levels.
 * @param hColour for the colour.
 */
export function nonLocalMeans(picture: Picture, h: number, hColour = h): Picture {
  const [r, g, b] = picture.planes;
  const y = r.map((red, i) => 0.299 * red + 0.587 * g[i]! + 0.114 * b[i]!);
  const cb = b.map((blue, i) => (blue - y[i]!) * 0.564);
  const cr = r.map((red, i) => (red - y[i]!) * 0.713);
  const [light] = filterTogether([y], picture, h) as [Plane];
  const [newB, newR] = filterTogether([cb, cr], picture, hColour) as [Plane, Plane];
  const red = light.map((l, i) => l + newR[i]! / 0.713);
  const blue = light.map((l, i) => l + newB[i]! / 0.564);
  return { ...picture, planes: [red, light.map((l, i) => (l - 0.299 * red[i]! - 0.114 * blue[i]!) / 0.587), blue] };
}
