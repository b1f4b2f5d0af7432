import type { Planes } from '../model.ts';
import { colourChannels, maxSample, type Raster } from '../../../imaging/raster.ts';
import { enlargement, inverse, type Similarity } from './align.ts';

/** Something that can be read between its pixels: plane by plane, 0–1. */
interface Readable {
  readonly width: number;
  readonly height: number;
  read(plane: number, x: number, y: number): number;
}

function readableRaster(raster: Raster): Readable {
  const { data, width, height, channels } = raster;
  const unit = 1 / maxSample(raster);
  const colours = colourChannels(raster);
  return {
    width,
    height,
    read: (plane, x, y) => data[(y * width + x) * channels + (colours === 1 ? 0 : plane)]! * unit,
  };
}

function readablePlanes({ data, width, height }: Planes): Readable {
  return { width, height, read: (plane, x, y) => data[plane * width * height + y * width + x]! };
}

const within = (value: number, length: number): number => Math.min(length - 1, Math.max(0, value));

/** Between four pixels, whose centres lie at halves; beyond the edge the last pixel goes on. */
function bilinear({ read, width, height }: Readable, plane: number, x: number, y: number): number {
  const left = Math.floor(x - 0.5);
  const top = Math.floor(y - 0.5);
  const [u, v] = [x - 0.5 - left, y - 0.5 - top];
  const [x0, x1] = [within(left, width), within(left + 1, width)];
  const [y0, y1] = [within(top, height), within(top + 1, height)];
  const upper = read(plane, x0, y0) * (1 - u) + read(plane, x1, y0) * u;
  const lower = read(plane, x0, y1) * (1 - u) + read(plane, x1, y1) * u;
  return upper * (1 - v) + lower * v;
}

/** At most so many samples along each side of a pixel. */
const MOST_SAMPLES = 16;

/** One pixel of a picture that `back` takes to `source`: the mean of as many samples as pixels of the source lie under it. */
function pixel(source: Readable, back: Similarity, plane: number, x: number, y: number): number {
  const count = Math.min(MOST_SAMPLES, Math.max(1, Math.ceil(enlargement(back))));
  let sum = 0;
  for (let j = 0; j < count; j++) {
    for (let i = 0; i < count; i++) {
      const px = x + (i + 0.5) / count;
      const py = y + (j + 0.5) / count;
      sum += bilinear(source, plane, back.a * px - back.b * py + back.dx, back.b * px + back.a * py + back.dy);
    }
  }
  return sum / (count * count);
}

/**
 * A square of a picture, turned and enlarged by `to`; three planes, 0–1.
 *
 * @param beyond what lies outside the picture: the colour of its edge goes on, or black.
 */
export function cutOut(source: Raster, to: Similarity, side: number, beyond: 'edge' | 'black'): Planes {
  const from = readableRaster(source);
  const back = inverse(to);
  const data = new Float32Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const px = back.a * (x + 0.5) - back.b * (y + 0.5) + back.dx;
      const py = back.b * (x + 0.5) + back.a * (y + 0.5) + back.dy;
      if (beyond === 'black' && (px < 0 || py < 0 || px > source.width || py > source.height)) continue;
      for (let plane = 0; plane < 3; plane++) data[(plane * side + y) * side + x] = pixel(from, back, plane, x, y);
    }
  }
  return { data, planes: 3, width: side, height: side };
}

/** Share of the side over which a face fades into the picture around it. */
const FEATHER = 0.12;

/** How much of the face counts at a place of its square: 1 in the middle, 0 at the edge. */
function weightAt(x: number, y: number, side: number): number {
  const inside = Math.min(x, y, side - x, side - y) / (FEATHER * side);
  const t = Math.min(1, Math.max(0, inside));
  return t * t * (3 - 2 * t);
}

/**
 * Puts a square that was cut out by `to` back into a picture, in which it fades out towards its edges. A grey picture gets the mean of
 * its colours; transparency stays.
 *
 * @param share of it in the result, 0–1.
 */
export function putBack(target: Raster, face: Planes, to: Similarity, share: number): void {
  const side = face.width;
  const from = readablePlanes(face);
  const back = inverse(to);
  const corners = [0, side].flatMap((x) =>
    [0, side].map((y) => ({ x: back.a * x - back.b * y + back.dx, y: back.b * x + back.a * y + back.dy })),
  );
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  const [left, right] = [Math.max(0, Math.floor(Math.min(...xs))), Math.min(target.width, Math.ceil(Math.max(...xs)))];
  const [top, bottom] = [Math.max(0, Math.floor(Math.min(...ys))), Math.min(target.height, Math.ceil(Math.max(...ys)))];
  const white = maxSample(target);
  const colours = colourChannels(target);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const u = to.a * (x + 0.5) - to.b * (y + 0.5) + to.dx;
      const v = to.b * (x + 0.5) + to.a * (y + 0.5) + to.dy;
      const weight = share * weightAt(u, v, side);
      if (weight <= 0) continue;
      const levels = [0, 1, 2].map((plane) => Math.min(1, Math.max(0, pixel(from, to, plane, x, y))));
      const at = (y * target.width + x) * target.channels;
      for (let c = 0; c < colours; c++) {
        const level = colours === 1 ? (levels[0]! + levels[1]! + levels[2]!) / 3 : levels[c]!;
        const before = target.data[at + c]!;
        target.data[at + c] = before + weight * (level * white - before) + 0.5;
      }
    }
  }
}
