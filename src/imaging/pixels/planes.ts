import { colourChannels, hasAlpha, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export type Plane = Float32Array<ArrayBuffer>;

/**
 * The colour of a tile as float planes in 8-bit levels (0–255): luminance alone for grey, else opponent colours
 * L = (R + G + B) / 3, U = (R − B) / 2, V = (2G − R − B) / 4, which part grain that is common to all channels from the rest
 * (Dabov, Foi, Katkovnik, Egiazarian: Image denoising by sparse 3-D transform-domain filtering, 2007, section V).
 */
export function readPlanes(raster: Raster, tile: Tile): Plane[] {
  const { data, width, channels, depth } = raster;
  const unit = depth === 16 ? 1 / 257 : 1;
  const w = tile.x1 - tile.x0;
  const h = tile.y1 - tile.y0;
  if (colourChannels(raster) === 1) return [readLuminance(raster, tile)];
  const l = new Float32Array(w * h);
  const u = new Float32Array(w * h);
  const v = new Float32Array(w * h);
  for (let y = 0, i = 0; y < h; y++) {
    let at = ((tile.y0 + y) * width + tile.x0) * channels;
    for (let x = 0; x < w; x++, i++, at += channels) {
      const r = data[at]! * unit;
      const g = data[at + 1]! * unit;
      const b = data[at + 2]! * unit;
      l[i] = (r + g + b) / 3;
      u[i] = (r - b) / 2;
      v[i] = (2 * g - r - b) / 4;
    }
  }
  return [l, u, v];
}

/** The first plane of `readPlanes` alone. */
export function readLuminance({ data, width, channels, depth }: Raster, tile: Tile): Plane {
  const colours = colourChannels({ channels });
  const unit = 1 / (colours * (depth === 16 ? 257 : 1));
  const w = tile.x1 - tile.x0;
  const h = tile.y1 - tile.y0;
  const l = new Float32Array(w * h);
  for (let y = 0, i = 0; y < h; y++) {
    let at = ((tile.y0 + y) * width + tile.x0) * channels;
    for (let x = 0; x < w; x++, i++, at += channels) {
      l[i] = (colours === 1 ? data[at]! : data[at]! + data[at + 1]! + data[at + 2]!) * unit;
    }
  }
  return l;
}

/** Writes the part `tile` of planes that cover `from` into the target; alpha comes from the source, which has its shape. */
export function writePlanes(planes: readonly Plane[], from: Tile, source: Raster, target: Raster, tile: Tile): void {
  const { data, width, channels, depth } = target;
  const alpha = hasAlpha(source);
  const unit = depth === 16 ? 257 : 1;
  const top = depth === 16 ? 65_535 : 255;
  const fit = (level: number): number => {
    const sample = level * unit + 0.5;
    return sample <= 0 ? 0 : sample >= top ? top : sample | 0;
  };
  const [l, u, v] = planes;
  const stride = from.x1 - from.x0;
  for (let y = tile.y0; y < tile.y1; y++) {
    let at = (y * width + tile.x0) * channels;
    let i = (y - from.y0) * stride + tile.x0 - from.x0;
    for (let x = tile.x0; x < tile.x1; x++, i++, at += channels) {
      if (alpha) data[at + channels - 1] = source.data[at + channels - 1]!;
      const luminance = l![i]!;
      if (u === undefined || v === undefined) {
        data[at] = fit(luminance);
        continue;
      }
      const green = luminance + (4 / 3) * v[i]!;
      const half = luminance - (2 / 3) * v[i]!;
      data[at] = fit(half + u[i]!);
      data[at + 1] = fit(green);
      data[at + 2] = fit(half - u[i]!);
    }
  }
}
