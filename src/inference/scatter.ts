import type { Tile } from '../imaging/pixels/tile.ts';
import { colourChannels, maxSample, type Raster } from '../imaging/raster.ts';

/** What a net has made of a window: planes of floats, one behind the other, each `width` wide. */
export interface Answer {
  readonly planes: Float32Array;
  readonly width: number;
  readonly height: number;
  /** How many planes: 1 or 3. */
  readonly count: number;
}

export interface Scattering {
  readonly answer: Answer;
  /** Where the first value of the answer lies in the target. */
  readonly origin: { readonly x: number; readonly y: number };
  /** The part of the target that is written. */
  readonly area: Tile;
  readonly target: Raster;
  /** Mixed with by `share`; has the target's size then. */
  readonly source: Raster;
  /** 0–1. */
  readonly share: number;
  /** What black and white are in the answer. */
  readonly range: readonly [number, number];
}

/**
 * Rounds an area of the answer into the target; grey is the mean of three planes. Alpha is left alone.
 *
 * @returns the sum of what was written, in samples: no number where a value of the answer was none.
 */
export function scatter({ answer, origin, area, target, source, share, range: [low, high] }: Scattering): number {
  const { planes, width, height, count } = answer;
  const { data, channels } = target;
  const colours = colourChannels(target);
  const top = maxSample(target);
  const behind = width * height;
  if (colours < count) averagePlanes(planes, behind, count);
  const unit = top / (high - low);
  const old = source.data;
  const oldUnit = ((1 - share) * top) / maxSample(source);
  const oldChannels = source.channels;
  // A grey source has the same grey in every channel.
  const oldStep = colourChannels(source) === 3 ? 1 : 0;
  let sum = 0;
  for (let c = 0; c < colours; c++) {
    for (let y = area.y0; y < area.y1; y++) {
      const first = (c < count ? c * behind : 0) + (y - origin.y) * width + area.x0 - origin.x;
      const end = first + area.x1 - area.x0;
      let at = (y * target.width + area.x0) * channels + c;
      let from = (y * target.width + area.x0) * oldChannels + c * oldStep;
      for (let i = first; i < end; i++, at += channels) {
        let level = (planes[i]! - low) * unit;
        sum += level;
        if (share < 1) {
          level = level * share + old[from]! * oldUnit;
          from += oldChannels;
        }
        data[at] = level <= 0 ? 0 : level >= top ? top : (level + 0.5) | 0;
      }
    }
  }
  return sum;
}

/** Puts the mean of all planes into the first. */
function averagePlanes(planes: Float32Array, length: number, count: number): void {
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let plane = 0; plane < count; plane++) sum += planes[plane * length + i]!;
    planes[i] = sum / count;
  }
}
