import { colourChannels, maxSample, type Raster } from '../raster.ts';
import type { Tile } from './tile.ts';

export const BINS = 1024;

export interface HistogramInput {
  readonly source: Raster;
  /** Side of the square cells whose mean is counted, so that grain does not widen the histogram. */
  readonly cell: number;
  /** Pixels left out on every side: frames, torn edges. */
  readonly border: number;
}

export interface HistogramSums {
  /** Luminance, then red, green, blue; one entry for grey. */
  readonly counts: number[][];
  readonly cells: number;
  /** Sums of L⁰ … L⁴ and of the two chroma planes times L⁰ … L², and of their squares; levels 0–1. For the monochrome test. */
  readonly powers: number[];
  readonly chroma: { readonly u: number[]; readonly v: number[]; uu: number; vv: number };
}

/** Histogram of cell means and the sums of a regression of chroma on luminance. Rec. 601 luminance. */
export function histogramTile({ source, cell, border }: HistogramInput, tile: Tile): HistogramSums {
  const { data, width, height, channels } = source;
  const colours = colourChannels(source);
  const unit = 1 / (maxSample(source) * cell * cell);
  const counts = Array.from({ length: colours === 1 ? 1 : 4 }, () => Array.from({ length: BINS }, () => 0));
  const powers = [0, 0, 0, 0, 0];
  const chroma = { u: [0, 0, 0], v: [0, 0, 0], uu: 0, vv: 0 };
  const x1 = Math.min(tile.x1, width - border);
  const y1 = Math.min(tile.y1, height - border);
  const align = (at: number): number => Math.ceil(Math.max(at, border) / cell) * cell;
  const level = [0, 0, 0];
  let cells = 0;
  const count = (of: number, value: number): void => {
    const bin = Math.min(BINS - 1, Math.floor(value * BINS));
    counts[of]![bin]!++;
  };
  for (let y = align(tile.y0); y + cell <= y1; y += cell) {
    for (let x = align(tile.x0); x + cell <= x1; x += cell) {
      for (let c = 0; c < colours; c++) {
        let sum = 0;
        for (let dy = 0; dy < cell; dy++) {
          const from = ((y + dy) * width + x) * channels + c;
          for (let i = from; i < from + cell * channels; i += channels) sum += data[i]!;
        }
        level[c] = sum * unit;
      }
      cells++;
      const [r, g, b] = level as [number, number, number];
      if (colours === 1) {
        count(0, r);
        continue;
      }
      const l = 0.299 * r + 0.587 * g + 0.114 * b;
      const u = r - l;
      const v = b - l;
      count(0, l);
      count(1, r);
      count(2, g);
      count(3, b);
      for (let p = 0, power = 1; p < 5; p++, power *= l) powers[p]! += power;
      for (let p = 0, power = 1; p < 3; p++, power *= l) {
        chroma.u[p]! += u * power;
        chroma.v[p]! += v * power;
      }
      chroma.uu += u * u;
      chroma.vv += v * v;
    }
  }
  return { counts, cells, powers, chroma };
}
