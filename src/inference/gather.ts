import type { Tile } from '../imaging/pixels/tile.ts';
import { colourChannels, maxSample, type Raster } from '../imaging/raster.ts';
import { reflect } from '../imaging/tiles.ts';

/**
 * Copies the colours of a window into planes of floats, one behind the other, black to `low` and white to `high`; grey becomes
 * three equal planes. Beyond the picture it goes on as in a mirror.
 */
export function gatherColours(
  source: Raster,
  window: Tile,
  planes: Float32Array,
  [low, high]: readonly [number, number],
): void {
  const { data, width, height, channels } = source;
  const columns = mirrored(window.x0, window.x1, width, channels);
  const area = columns.length * (window.y1 - window.y0);
  const unit = (high - low) / maxSample(source);
  const grey = colourChannels(source) === 1;
  for (let y = window.y0, i = 0; y < window.y1; y++) {
    const row = reflect(y, height) * width * channels;
    for (let x = 0; x < columns.length; x++, i++) {
      const at = row + columns[x]!;
      planes[i] = data[at]! * unit + low;
      if (grey) continue;
      planes[i + area] = data[at + 1]! * unit + low;
      planes[i + 2 * area] = data[at + 2]! * unit + low;
    }
  }
  if (!grey) return;
  planes.copyWithin(area, 0, area);
  planes.copyWithin(2 * area, 0, area);
}

/** The same for a control: one value, or the first channel of a raster of the picture's size, 0–1. */
export function gatherControl(control: number | Raster, window: Tile, plane: Float32Array): void {
  if (typeof control === 'number') {
    plane.fill(control);
    return;
  }
  const { data, width, height, channels } = control;
  const columns = mirrored(window.x0, window.x1, width, channels);
  const unit = 1 / maxSample(control);
  for (let y = window.y0, i = 0; y < window.y1; y++) {
    const row = reflect(y, height) * width * channels;
    for (let x = 0; x < columns.length; x++, i++) plane[i] = data[row + columns[x]!]! * unit;
  }
}

/** For each column of a window, where in a row of samples it is. */
function mirrored(from: number, to: number, length: number, channels: number): Int32Array {
  return Int32Array.from({ length: to - from }, (_, i) => reflect(from + i, length) * channels);
}
