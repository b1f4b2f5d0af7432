import type { Planes } from '../model.ts';
import { colourChannels, maxSample, type Raster } from '../../../imaging/raster.ts';
import { enlargement, inverse, moved, type Similarity } from './align.ts';

/** A rectangle of a raster; the ends are exclusive. */
interface Area {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** What `to` takes into the square is what lies in here, with what is needed to read between pixels; never empty. */
function areaUnder(back: Similarity, side: number, width: number, height: number): Area {
  const corners = [0, side].flatMap((x) => [0, side].map((y) => moved(back, { x, y })));
  const [xs, ys] = [corners.map(({ x }) => x), corners.map(({ y }) => y)];
  const margin = 2 + Math.ceil(enlargement(back));
  const from = (values: number[], length: number): number =>
    Math.min(length - 1, Math.max(0, Math.floor(Math.min(...values)) - margin));
  const to = (values: number[], length: number): number =>
    Math.min(length, Math.max(1, Math.ceil(Math.max(...values)) + margin));
  const [x0, y0] = [from(xs, width), from(ys, height)];
  return { x0, y0, x1: Math.max(x0 + 1, to(xs, width)), y1: Math.max(y0 + 1, to(ys, height)) };
}

/** Part of a raster as three planes of 0–1, each pixel the mean of a square of `factor` pixels. */
function reducedPart(raster: Raster, { x0, y0, x1, y1 }: Area, factor: number): Planes {
  const { data, width: stride, channels } = raster;
  const width = Math.ceil((x1 - x0) / factor);
  const height = Math.ceil((y1 - y0) / factor);
  const size = width * height;
  const out = new Float32Array(3 * size);
  const [green, blue] = colourChannels(raster) === 1 ? [0, 0] : [1, 2];
  const unit = 1 / maxSample(raster);
  for (let row = 0, i = 0; row < height; row++) {
    const [top, bottom] = [y0 + row * factor, Math.min(y1, y0 + (row + 1) * factor)];
    for (let column = 0; column < width; column++, i++) {
      const [left, right] = [x0 + column * factor, Math.min(x1, x0 + (column + 1) * factor)];
      let r = 0;
      let g = 0;
      let b = 0;
      for (let y = top; y < bottom; y++) {
        for (let at = (y * stride + left) * channels; at < (y * stride + right) * channels; at += channels) {
          r += data[at]!;
          g += data[at + green]!;
          b += data[at + blue]!;
        }
      }
      const share = unit / ((right - left) * (bottom - top));
      out[i] = r * share;
      out[i + size] = g * share;
      out[i + 2 * size] = b * share;
    }
  }
  return { data: out, planes: 3, width, height };
}

/** The same of planes. */
function reducedPlanes({ data, width, height }: Planes, factor: number): Planes {
  const [w, h] = [Math.ceil(width / factor), Math.ceil(height / factor)];
  const out = new Float32Array(3 * w * h);
  for (let plane = 0, i = 0; plane < 3; plane++) {
    for (let row = 0; row < h; row++) {
      const [top, bottom] = [row * factor, Math.min(height, (row + 1) * factor)];
      for (let column = 0; column < w; column++, i++) {
        const [left, right] = [column * factor, Math.min(width, (column + 1) * factor)];
        let sum = 0;
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) sum += data[(plane * height + y) * width + x]!;
        }
        out[i] = sum / ((right - left) * (bottom - top));
      }
    }
  }
  return { data: out, planes: 3, width: w, height: h };
}

const within = (value: number, length: number): number => (value < 0 ? 0 : value >= length ? length - 1 : value);

/** Reads three planes at once between four pixels, whose centres lie at halves; beyond the edge the last pixel goes on. */
function readAt({ data, width, height }: Planes, x: number, y: number, out: Float32Array): void {
  const left = Math.floor(x - 0.5);
  const top = Math.floor(y - 0.5);
  const u = x - 0.5 - left;
  const v = y - 0.5 - top;
  const [x0, x1] = [within(left, width), within(left + 1, width)];
  const [y0, y1] = [within(top, height) * width, within(top + 1, height) * width];
  for (let plane = 0, at = 0; plane < 3; plane++, at += width * height) {
    const upper = data[at + y0 + x0]! * (1 - u) + data[at + y0 + x1]! * u;
    const lower = data[at + y1 + x0]! * (1 - u) + data[at + y1 + x1]! * u;
    out[plane] = upper * (1 - v) + lower * v;
  }
}

/** By how much something is reduced before it is read at places that lie `step` of its pixels apart. */
const reductionFor = (step: number): number => Math.max(1, Math.floor(step));

/**
 * A square of a picture, turned and enlarged by `to`; three planes, 0–1.
 *
 * @param beyond what lies outside the picture: the colour of its edge goes on, or black.
 */
export function cutOut(source: Raster, to: Similarity, side: number, beyond: 'edge' | 'black'): Planes {
  const back = inverse(to);
  const area = areaUnder(back, side, source.width, source.height);
  const factor = reductionFor(enlargement(back));
  const from = reducedPart(source, area, factor);
  const data = new Float32Array(3 * side * side);
  const colour = new Float32Array(3);
  for (let y = 0, i = 0; y < side; y++) {
    for (let x = 0; x < side; x++, i++) {
      const px = back.a * (x + 0.5) - back.b * (y + 0.5) + back.dx;
      const py = back.b * (x + 0.5) + back.a * (y + 0.5) + back.dy;
      if (beyond === 'black' && (px < 0 || py < 0 || px > source.width || py > source.height)) continue;
      readAt(from, (px - area.x0) / factor, (py - area.y0) / factor, colour);
      for (let plane = 0; plane < 3; plane++) data[plane * side * side + i] = colour[plane]!;
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
  const { x0, y0, x1, y1 } = areaUnder(inverse(to), side, target.width, target.height);
  const factor = reductionFor(enlargement(to));
  const from = factor === 1 ? face : reducedPlanes(face, factor);
  const white = maxSample(target);
  const colours = colourChannels(target);
  const colour = new Float32Array(3);
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const u = to.a * (x + 0.5) - to.b * (y + 0.5) + to.dx;
      const v = to.b * (x + 0.5) + to.a * (y + 0.5) + to.dy;
      const weight = share * weightAt(u, v, side);
      if (weight <= 0) continue;
      readAt(from, u / factor, v / factor, colour);
      if (colours === 1) colour[0] = (colour[0]! + colour[1]! + colour[2]!) / 3;
      const at = (y * target.width + x) * target.channels;
      for (let c = 0; c < colours; c++) {
        const level = Math.min(1, Math.max(0, colour[c]!)) * white;
        const before = target.data[at + c]!;
        target.data[at + c] = before + weight * (level - before) + 0.5;
      }
    }
  }
}
