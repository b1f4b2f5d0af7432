import { colourChannels, maxSample, type Raster } from '../raster.ts';
import { forwardDct, type Block } from './dct.ts';
import { fitQuality, JPEG_BIN, JPEG_COEFFICIENTS } from './jpeg-fit.ts';
import type { Tile } from './tile.ts';

/** Bins of a histogram: magnitudes up to 512. */
const BINS = 512 / JPEG_BIN;
/** Blocks looked at, at most about so many; rows and columns whose steps are added up. */
const BLOCKS = 16_000;
const LINES = 400;
/** A step that is larger is content. */
const EDGE = 24;

/**
 * The JPEG quality that a picture's pixels show; for its method see `fitQuality`. Looked for in the 8×8 blocks at the picture's own
 * corner and, where the steps between blocks say that it has been cropped or turned since, at the corner that they show.
 *
 * @returns 10–96; 100 = no trace.
 */
export function measureJpeg({ source }: { readonly source: Raster }, tile: Tile): number {
  const seen = gridOf(source, tile);
  const own = fitQuality(histogramsAt(source, tile, { x: 0, y: 0 }));
  if (seen.x === 0 && seen.y === 0) return own.quality;
  const other = fitQuality(histogramsAt(source, tile, seen));
  return other.sure > own.sure ? other.quality : own.quality;
}

function histogramsAt(source: Raster, tile: Tile, corner: { x: number; y: number }): Uint32Array[] {
  const histograms = JPEG_COEFFICIENTS.map(() => new Uint32Array(BINS));
  const across = Math.floor((tile.x1 - corner.x) / 8);
  const down = Math.floor((tile.y1 - corner.y) / 8);
  const every = Math.max(1, Math.floor((across * down) / BLOCKS));
  const block: Block = new Float64Array(64);
  for (let i = 0; i < across * down; i += every) {
    const x = corner.x + 8 * (i % across);
    const y = corner.y + 8 * Math.floor(i / across);
    if (!readBlock(source, x, y, block)) continue;
    forwardDct(block);
    JPEG_COEFFICIENTS.forEach((k, c) => {
      const bin = Math.round(Math.abs(block[k]!) / JPEG_BIN);
      if (bin < BINS) histograms[c]![bin]!++;
    });
  }
  return histograms;
}

/** Luminance by Rec. 601, as JPEG has it, around 0; false where the decoder has cut samples off at black or white. */
function readBlock(source: Raster, x: number, y: number, block: Block): boolean {
  const { data, width, channels } = source;
  const colours = colourChannels(source);
  const top = maxSample(source);
  const unit = 255 / top;
  for (let dy = 0, i = 0; dy < 8; dy++) {
    let at = ((y + dy) * width + x) * channels;
    for (let dx = 0; dx < 8; dx++, i++, at += channels) {
      const r = data[at]!;
      const g = colours === 1 ? r : data[at + 1]!;
      const b = colours === 1 ? r : data[at + 2]!;
      if (r === 0 || g === 0 || b === 0 || r === top || g === top || b === top) return false;
      block[i] = (0.299 * r + 0.587 * g + 0.114 * b) * unit - 128;
    }
  }
  return true;
}

/** Where the first whole block begins: the column and the row, 0–7, across which neighbours differ the most. */
function gridOf(source: Raster, { x0, y0, x1, y1 }: Tile): { x: number; y: number } {
  const { data, width, channels } = source;
  const unit = 255 / maxSample(source);
  const green = colourChannels(source) === 1 ? 0 : 1;
  const steps = (lines: number, length: number, between: number, along: number): number => {
    const sums = Array.from({ length: 8 }, () => 0);
    const every = Math.max(1, Math.floor(lines / LINES));
    for (let line = 0; line < lines; line += every) {
      for (let i = 2; i < length - 1; i++) {
        const at = line * between + i * along + green;
        const a = data[at - 2 * along]!;
        const b = data[at - along]!;
        const c = data[at]!;
        const d = data[at + along]!;
        const step = Math.abs(c - b - (d - c + b - a) / 2) * unit;
        if (step < EDGE) sums[i % 8]! += step;
      }
    }
    return sums.indexOf(Math.max(...sums));
  };
  return {
    x: steps(y1 - y0, x1 - x0, width * channels, channels),
    y: steps(x1 - x0, y1 - y0, channels, width * channels),
  };
}
