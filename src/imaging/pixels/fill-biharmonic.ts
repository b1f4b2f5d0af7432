import { colourChannels, maxSample, type Raster } from '../raster.ts';
import { UNKNOWN } from './fill-coarse.ts';
import { biharmonicRow } from './biharmonic-row.ts';
import { conjugateGradient, type SparseMatrix } from './conjugate-gradient.ts';
import { growTile, type Tile } from './tile.ts';

export interface FillBiharmonicInput {
  /** Its unknown pixels hold a first guess. */
  readonly source: Raster;
  /** Its unknown pixels are written; the others are those of the source already. */
  readonly target: Raster;
  readonly mask: Raster;
}

/** Of the whole range: what is left of an equation then is less than the rounding to levels. */
const PRECISE = 1 / 500;
/** Unknown pixels further than this from everything known keep the guess, which comes from a smaller picture. */
const DEEP = 6;
/** What lies so far outside a tile is solved with it and thrown away; its influence has gone by then, so that tiles meet without a seam. */
const HALO = 24;
/** The stencil reaches so far. */
const REACH = 2;

/**
 * Fills unknown pixels so that the Laplacian of the Laplacian vanishes there: the smoothest surface that continues values and slopes
 * from all sides (Chui, Mhaskar: MRA contextual-recovery extension of smooth functions on manifolds, 2010), by conjugate gradients.
 */
export function fillBiharmonic({ source, target, mask }: FillBiharmonicInput, tile: Tile): void {
  if (!hasUnknown(mask, tile)) return;
  const { width, height, channels, data } = source;
  const from = growTile(tile, HALO, width, height);
  const { places, index } = unknownsOf(mask, from);
  const stride = from.x1 - from.x0;
  const matrix = matrixOf(places, index, from, source);
  const top = maxSample(source);
  const x = new Float32Array(places.length);
  const b = new Float32Array(places.length);
  for (let c = 0; c < colourChannels(source); c++) {
    for (let i = 0; i < places.length; i++) x[i] = data[places[i]! * channels + c]!;
    b.fill(0);
    for (let k = 0; k < matrix.knownAt.length; k++) {
      b[matrix.knownRow[k]!]! -= matrix.knownFactor[k]! * data[matrix.knownAt[k]! * channels + c]!;
    }
    conjugateGradient(matrix, x, b, top * PRECISE);
    for (let y = tile.y0; y < tile.y1; y++) {
      for (let px = tile.x0; px < tile.x1; px++) {
        const i = index[(y - from.y0) * stride + px - from.x0]!;
        if (i < 0) continue;
        const sample = x[i]! + 0.5;
        target.data[(y * width + px) * channels + c] = sample <= 0 ? 0 : sample >= top ? top : sample;
      }
    }
  }
}

function hasUnknown({ data, width }: Raster, tile: Tile): boolean {
  for (let y = tile.y0; y < tile.y1; y++) {
    for (let at = y * width + tile.x0; at < y * width + tile.x1; at++) if (data[at]! >= UNKNOWN) return true;
  }
  return false;
}

/** The unknown pixels that are solved for, by their place in the picture, and for every pixel of `from` which one it is, or −1. */
function unknownsOf({ data, width, height }: Raster, from: Tile): { places: Int32Array; index: Int32Array } {
  const stride = from.x1 - from.x0;
  const index = new Int32Array(stride * (from.y1 - from.y0)).fill(-1);
  const places: number[] = [];
  // At an edge that is not the picture's, the last pixels keep the guess.
  const inner = {
    x0: from.x0 === 0 ? 0 : from.x0 + REACH,
    y0: from.y0 === 0 ? 0 : from.y0 + REACH,
    x1: from.x1 === width ? width : from.x1 - REACH,
    y1: from.y1 === height ? height : from.y1 - REACH,
  };
  for (let y = inner.y0; y < inner.y1; y++) {
    for (let x = inner.x0; x < inner.x1; x++) {
      if (data[y * width + x]! < UNKNOWN || isDeep(data, width, height, x, y)) continue;
      index[(y - from.y0) * stride + x - from.x0] = places.length;
      places.push(y * width + x);
    }
  }
  return { places: Int32Array.from(places), index };
}

/** Whether nothing in a cross around it is known: in a hole that wide, hardly anything near it is. */
function isDeep(mask: Raster['data'], width: number, height: number, x: number, y: number): boolean {
  for (let d = 1; d <= DEEP; d++) {
    if (x >= d && mask[y * width + x - d]! < UNKNOWN) return false;
    if (x + d < width && mask[y * width + x + d]! < UNKNOWN) return false;
    if (y >= d && mask[(y - d) * width + x]! < UNKNOWN) return false;
    if (y + d < height && mask[(y + d) * width + x]! < UNKNOWN) return false;
  }
  return true;
}

/** The equations of the unknowns, and what the known pixels add to them. */
function matrixOf(
  places: Int32Array,
  index: Int32Array,
  from: Tile,
  { width, height }: Raster,
): SparseMatrix & { knownRow: number[]; knownAt: number[]; knownFactor: number[] } {
  const stride = from.x1 - from.x0;
  const starts = new Int32Array(places.length + 1);
  const columns = new Int32Array(places.length * 13);
  const factors = new Float32Array(places.length * 13);
  const knownRow: number[] = [];
  const knownAt: number[] = [];
  const knownFactor: number[] = [];
  let count = 0;
  for (let row = 0; row < places.length; row++) {
    const place = places[row]!;
    const x = place % width;
    const y = (place - x) / width;
    for (const { dx, dy, factor } of biharmonicRow(x, y, width, height)) {
      const px = x + dx;
      const py = y + dy;
      const inside = px >= from.x0 && px < from.x1 && py >= from.y0 && py < from.y1;
      const column = inside ? index[(py - from.y0) * stride + px - from.x0]! : -1;
      if (column >= 0) {
        columns[count] = column;
        factors[count++] = factor;
      } else {
        knownRow.push(row);
        knownAt.push(py * width + px);
        knownFactor.push(factor);
      }
    }
    starts[row + 1] = count;
  }
  return { size: places.length, starts, columns, factors, knownRow, knownAt, knownFactor };
}
