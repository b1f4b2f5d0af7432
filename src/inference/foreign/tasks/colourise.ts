import { createRaster, hasAlpha, maxSample, type Raster } from '../../../imaging/raster.ts';
import { greyOf, labToRgb, lightness } from '../lab.ts';
import type { Planes } from '../model.ts';
import { carryAlpha } from '../alpha.ts';
import type { RunTask } from './task.ts';

/** Rows between two looks at the caller, so that progress is told while the result is put together. */
const STRIP = 256;

/** L, 0–100, of one pixel. */
function lightnessAt({ data, channels }: Raster, pixel: number, unit: number): number {
  const at = pixel * channels;
  const red = data[at]! * unit;
  return channels < 3 ? lightness(red, red, red) : lightness(red, data[at + 1]! * unit, data[at + 2]! * unit);
}

/** The whole picture as a square of three equal grey planes: each pixel the mean of the lightness of what falls into it. */
function reduced(source: Raster, side: number): Planes {
  const size = side * side;
  const data = new Float32Array(3 * size);
  const unit = 1 / maxSample(source);
  for (let y = 0; y < side; y++) {
    const [top, bottom] = share(y, side, source.height);
    for (let x = 0; x < side; x++) {
      const [left, right] = share(x, side, source.width);
      let sum = 0;
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) sum += lightnessAt(source, row * source.width + column, unit);
      }
      const grey = greyOf(sum / ((right - left) * (bottom - top)));
      for (let plane = 0; plane < 3; plane++) data[plane * size + y * side + x] = grey;
    }
  }
  return { data, planes: 3, width: side, height: side };
}

/** Which of `length` pixels fall into pixel `i` of `side`; at least one. */
function share(i: number, side: number, length: number): [number, number] {
  const from = Math.min(length - 1, Math.floor((i * length) / side));
  return [from, Math.max(from + 1, Math.floor(((i + 1) * length) / side))];
}

/** Bilinear weights along one axis: the two neighbours in the small plane, and the share of the second. */
function neighbours(length: number, side: number): { first: Int32Array; second: Int32Array; part: Float32Array } {
  const first = new Int32Array(length);
  const second = new Int32Array(length);
  const part = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.min(side - 1, Math.max(0, ((i + 0.5) * side) / length - 0.5));
    first[i] = Math.floor(at);
    second[i] = Math.min(side - 1, first[i]! + 1);
    part[i] = at - first[i]!;
  }
  return { first, second, part };
}

/**
 * Colours: the model sees the lightness of the whole picture, reduced to its own size, and answers a and b of CIE Lab; these are enlarged
 * and joined with the lightness of the picture itself, so that no detail is lost; the strength mixes the result with the picture. The convention of DDColor (github.com/piddnad/DDColor).
 */
export const runColourise: RunTask = async ({ manifest, infer }, { source, options, onTile }) => {
  const side = manifest.tile.size;
  const { width, height } = source;
  const strips = Math.ceil(height / STRIP);
  await onTile(0, strips + 1);
  const { data } = await infer(reduced(source, side));

  const target = createRaster({ width, height, channels: hasAlpha(source) ? 4 : 3, depth: source.depth });
  carryAlpha(source, target, 1);
  const across = neighbours(width, side);
  const down = neighbours(height, side);
  const white = maxSample(target);
  const rgb = new Float32Array(3);
  const size = side * side;
  for (let y = 0; y < height; y++) {
    if (y % STRIP === 0) await onTile(1 + y / STRIP, strips + 1);
    const upper = down.first[y]! * side;
    const lower = down.second[y]! * side;
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      const mean = (plane: number): number => {
        const top =
          data[plane + upper + across.first[x]!]! * (1 - across.part[x]!) +
          data[plane + upper + across.second[x]!]! * across.part[x]!;
        const bottom =
          data[plane + lower + across.first[x]!]! * (1 - across.part[x]!) +
          data[plane + lower + across.second[x]!]! * across.part[x]!;
        return top + (bottom - top) * down.part[y]!;
      };
      labToRgb(lightnessAt(source, pixel, 1 / white), mean(0), mean(size), rgb);
      const at = pixel * target.channels;
      for (let c = 0; c < 3; c++) {
        const before = source.data[pixel * source.channels + (source.channels < 3 ? 0 : c)]!;
        const after = Math.min(1, Math.max(0, rgb[c]!)) * white;
        target.data[at + c] = before + options.strength * (after - before) + 0.5;
      }
    }
  }
  return target;
};
