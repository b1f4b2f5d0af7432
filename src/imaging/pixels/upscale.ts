import { hasAlpha, maxSample, type Raster } from '../raster.ts';
import { gaussianBlur } from './filters.ts';
import type { Plane } from './planes.ts';
import { growTile, type Tile } from './tile.ts';

export interface UpscaleInput {
  readonly source: Raster;
  /** `factor` times as wide and high as the source. */
  readonly target: Raster;
  readonly factor: 2 | 4;
  /** Unsharp mask after the enlargement: σ in pixels of the result, and how much of it is added. */
  readonly sigma: number;
  readonly amount: number;
}

/** Lanczos-3 weights for each of the `factor` positions between two source pixels, normalised. */
function phases(factor: number): Float64Array[] {
  return Array.from({ length: factor }, (_, phase) => {
    const offset = (phase + 0.5) / factor - 0.5;
    const weights = Float64Array.from({ length: 7 }, (__, tap) => lanczos(tap - 3 - offset));
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((w) => w / sum);
  });
}

function lanczos(x: number): number {
  if (Math.abs(x) < 1e-9) return 1;
  if (Math.abs(x) >= 3) return 0;
  const t = Math.PI * x;
  return (3 * Math.sin(t) * Math.sin(t / 3)) / (t * t);
}

/**
 * One tile of the result: separable Lanczos-3, then an unsharp mask that makes up for the softness of the enlargement. Colour is weighted with
 * alpha, so that what is transparent does not bleed.
 */
export function upscaleTile(input: UpscaleInput, tile: Tile): void {
  const { source, target, sigma, amount } = input;
  const from = growTile(tile, Math.ceil(sigma * 3), target.width, target.height);
  const width = from.x1 - from.x0;
  const height = from.y1 - from.y0;
  const alpha = hasAlpha(source) ? resample(input, from, source.channels - 1, false) : undefined;
  for (let c = 0; c < source.channels; c++) {
    const isAlpha = alpha !== undefined && c === source.channels - 1;
    const large = isAlpha ? alpha : resample(input, from, c, alpha !== undefined);
    if (alpha !== undefined && !isAlpha) {
      for (let i = 0; i < large.length; i++) large[i] = alpha[i]! > 1e-4 ? large[i]! / alpha[i]! : 0;
    }
    const soft = isAlpha ? large : gaussianBlur(large, width, height, sigma);
    const top = maxSample(target);
    for (let y = tile.y0; y < tile.y1; y++) {
      let at = (y * target.width + tile.x0) * target.channels + c;
      let i = (y - from.y0) * width + tile.x0 - from.x0;
      for (let x = tile.x0; x < tile.x1; x++, i++, at += target.channels) {
        const level = (large[i]! + amount * (large[i]! - soft[i]!)) * top + 0.5;
        target.data[at] = level <= 0 ? 0 : level >= top ? top : level | 0;
      }
    }
  }
}

/** Levels 0–1 of one channel over the area `from` of the result; times alpha where `weighted`. */
function resample({ source, factor }: UpscaleInput, from: Tile, channel: number, weighted: boolean): Plane {
  const { data, channels } = source;
  const unit = 1 / maxSample(source);
  const taps = phases(factor);
  const width = from.x1 - from.x0;
  const firstRow = Math.floor(from.y0 / factor) - 3;
  const rows = Math.floor((from.y1 - 1) / factor) + 4 - firstRow;
  const firstColumn = Math.floor(from.x0 / factor) - 3;
  const columns = Math.floor((from.x1 - 1) / factor) + 4 - firstColumn;
  const line = new Float32Array(columns);
  const across = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const y = Math.min(source.height - 1, Math.max(0, firstRow + r));
    for (let i = 0; i < columns; i++) {
      const at = (y * source.width + Math.min(source.width - 1, Math.max(0, firstColumn + i))) * channels;
      const level = data[at + channel]! * unit;
      line[i] = weighted ? level * data[at + channels - 1]! * unit : level;
    }
    for (let i = 0; i < width; i++) {
      const x = from.x0 + i;
      const start = Math.floor(x / factor) - 3 - firstColumn;
      across[r * width + i] = sevenTaps(line, start, 1, taps[x % factor]!);
    }
  }
  const out = new Float32Array(width * (from.y1 - from.y0));
  for (let j = 0; j < from.y1 - from.y0; j++) {
    const y = from.y0 + j;
    const start = (Math.floor(y / factor) - 3 - firstRow) * width;
    const weights = taps[y % factor]!;
    for (let i = 0; i < width; i++) out[j * width + i] = sevenTaps(across, start + i, width, weights);
  }
  return out;
}

function sevenTaps(of: Float32Array, at: number, stride: number, w: Float64Array): number {
  return (
    w[0]! * of[at]! +
    w[1]! * of[at + stride]! +
    w[2]! * of[at + 2 * stride]! +
    w[3]! * of[at + 3 * stride]! +
    w[4]! * of[at + 4 * stride]! +
    w[5]! * of[at + 5 * stride]! +
    w[6]! * of[at + 6 * stride]!
  );
}
