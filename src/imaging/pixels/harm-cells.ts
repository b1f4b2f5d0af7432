import type { Area } from './harm-fine.ts';
import type { Plane } from './planes.ts';

/** What changed in cells of 8 × 8 pixels, in windows of 4 × 4 such cells, and in single samples. */
export interface CellSums {
  pixels: number;
  /** All colour samples. */
  samples: number;
  /** Colour samples that have become black or white and were neither. */
  clipped: number;
  /** Pixels whose luminance is another one. */
  changed: number;
  cells: number;
  /** Cells of which nearly every pixel has changed. */
  replaced: number;
  /** Pixels that overshoot all their neighbours of before by more than `OVERSHOOT` levels, by how many, in bins of one level. */
  readonly overshot: number[];
  /** Of changed pixels the squared change, and what the pixels around them that did not change vary by. */
  removed: number;
  usual: number;
  /** Windows by the variance of their cells before, in bins of `varianceBin`, and those of them that have another structure now. */
  readonly windows: number[];
  readonly lost: number[];
  /** Of the means of cells around that of their window: variance before, and covariance of before and after. */
  variance: number;
  covariance: number;
  /** Windows by the change of their mean luminance, in bins of `BIN` levels; those moved towards an end that cut their grain by 0. */
  readonly brightness: number[];
  /** Cells without colour by how much colour they have now, and all cells by the change of their colour, in bins of `BIN` levels. */
  readonly neutral: number[];
  readonly colour: number[];
}

const CELL = 8;
const WINDOW = 4;
export const BIN = 0.5;
const BINS = 256;
/** Levels from which a change of a pixel counts: rounding is none. */
const CHANGED = 2.5;
/** Share of a cell whose change is that of the whole cell. */
const NEARLY_ALL = 0.75;
/** Share of the samples of a window at an end of the scale that tells of grain cut off there. */
const CUT = 0.05;
/** Levels beyond the neighbours that are a halo. */
export const OVERSHOOT = 6;
const OVERSHOTS = 64;
/** Levels of chroma up to which a cell has no colour. */
const NEUTRAL = 4;
/** Least variance of a surface: that of rounding and a little grain. */
const SMOOTH = 4;
/** Bins of variance, four to an octave. */
const PER_OCTAVE = 4;
const VARIANCE_BINS = 16 * PER_OCTAVE;
/** The correlation that keeps a structure. */
const KEPT = 0.7;

export function varianceBin(variance: number): number {
  return Math.max(0, Math.min(VARIANCE_BINS - 1, Math.floor(PER_OCTAVE * Math.log2(Math.max(1, variance)))));
}

export function emptyCells(): CellSums {
  const zeros = (length: number): number[] => Array.from({ length }, () => 0);
  return {
    pixels: 0,
    samples: 0,
    clipped: 0,
    changed: 0,
    cells: 0,
    replaced: 0,
    overshot: zeros(OVERSHOTS),
    removed: 0,
    usual: 0,
    windows: zeros(VARIANCE_BINS),
    lost: zeros(VARIANCE_BINS),
    variance: 0,
    covariance: 0,
    brightness: zeros(BINS),
    neutral: zeros(BINS),
    colour: zeros(BINS),
  };
}

export function addCells(sums: CellSums, a: readonly Plane[], b: readonly Plane[], area: Area): void {
  const columns = Math.floor((area.x1 - area.x0) / CELL);
  const rows = Math.floor((area.y1 - area.y0) / CELL);
  const before = new Float32Array(columns * rows);
  const after = new Float32Array(columns * rows);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      addCell(sums, a, b, area, area.x0 + column * CELL, area.y0 + row * CELL);
      before[i] = mean(a[0]!, area, area.x0 + column * CELL, area.y0 + row * CELL);
      after[i] = mean(b[0]!, area, area.x0 + column * CELL, area.y0 + row * CELL);
    }
  }
  for (let row = 0; row + WINDOW <= rows; row += WINDOW) {
    for (let column = 0; column + WINDOW <= columns; column += WINDOW) {
      const [x0, y0] = [area.x0 + column * CELL, area.y0 + row * CELL];
      const change = addWindow(sums, before, after, columns, row * columns + column);
      count(sums.brightness, isCut(a[0]!, area, x0, y0, change) ? 0 : Math.abs(change));
      addRemoved(sums, a[0]!, b[0]!, area, x0, y0);
    }
  }
}

function mean(plane: Plane, { width }: Area, x0: number, y0: number): number {
  let sum = 0;
  for (let y = y0; y < y0 + CELL; y++) for (let x = x0; x < x0 + CELL; x++) sum += plane[y * width + x]!;
  return sum / (CELL * CELL);
}

const count = (bins: number[], value: number): void => {
  bins[Math.min(BINS - 1, Math.floor(value / BIN))]!++;
};

function addCell(sums: CellSums, a: readonly Plane[], b: readonly Plane[], area: Area, x0: number, y0: number): void {
  const { width, height } = area;
  const [la, ua, va] = a;
  const [lb, ub, vb] = b;
  const colours = ub === undefined ? 1 : 3;
  let changed = 0;
  let clipped = 0;
  let u = 0;
  let v = 0;
  let du = 0;
  let dv = 0;
  for (let y = y0; y < y0 + CELL; y++) {
    for (let x = x0; x < x0 + CELL; x++) {
      const at = y * width + x;
      const p = la![at]!;
      const q = lb![at]!;
      const d = q - p;
      if (d > CHANGED || d < -CHANGED) changed++;
      if (colours === 1) {
        if (isClipped(p, q)) clipped++;
      } else {
        const pu = ua === undefined ? 0 : ua[at]!;
        const pv = va === undefined ? 0 : va[at]!;
        const qu = ub![at]!;
        const qv = vb![at]!;
        u += pu;
        v += pv;
        du += qu - pu;
        dv += qv - pv;
        const pl = p - (2 / 3) * pv;
        const ql = q - (2 / 3) * qv;
        if (isClipped(pl + pu, ql + qu)) clipped++;
        if (isClipped(p + (4 / 3) * pv, q + (4 / 3) * qv)) clipped++;
        if (isClipped(pl - pu, ql - qu)) clipped++;
      }
      if (d > OVERSHOOT || d < -OVERSHOOT) {
        const beyond = overshoot(la!, at, x, y, width, height, q, d > 0 ? 1 : -1);
        if (beyond > OVERSHOOT) sums.overshot[Math.min(OVERSHOTS - 1, Math.floor(beyond))]!++;
      }
    }
  }
  const n = CELL * CELL;
  sums.pixels += n;
  sums.samples += n * colours;
  sums.changed += changed;
  sums.clipped += clipped;
  sums.cells++;
  if (changed >= NEARLY_ALL * n) sums.replaced++;
  if (colours === 1) return;
  const moved = Math.hypot(du, dv) / n;
  count(sums.colour, moved);
  if (Math.hypot(u, v) / n <= NEUTRAL) count(sums.neutral, moved);
}

/** At the end of the scale now, and not near it before. */
function isClipped(before: number, after: number): boolean {
  return (after < 0.5 && before > 3.5) || (after > 254.5 && before < 251.5);
}

/** By how much `level` lies above (`sign` 1) or below (-1) all nine pixels around `at`; anything up to OVERSHOOT where it does not. */
function overshoot(
  plane: Plane,
  at: number,
  x: number,
  y: number,
  width: number,
  height: number,
  level: number,
  sign: 1 | -1,
): number {
  let least = Infinity;
  for (let dy = y > 0 ? -1 : 0; dy <= (y < height - 1 ? 1 : 0); dy++) {
    for (let dx = x > 0 ? -1 : 0; dx <= (x < width - 1 ? 1 : 0); dx++) {
      least = Math.min(least, sign * (level - plane[at + dy * width + dx]!));
      if (least <= OVERSHOOT) return least;
    }
  }
  return least;
}

/** What was taken out of a window, against how much the rest of its cells varies within. */
function addRemoved(sums: CellSums, a: Plane, b: Plane, { width }: Area, x0: number, y0: number): void {
  let [squares, changed, within, cells] = [0, 0, 0, 0];
  for (let cell = 0; cell < WINDOW * WINDOW; cell++) {
    const left = x0 + (cell % WINDOW) * CELL;
    const top = y0 + Math.floor(cell / WINDOW) * CELL;
    let [n, sum, sumSquares] = [0, 0, 0];
    for (let y = top; y < top + CELL; y++) {
      for (let at = y * width + left; at < y * width + left + CELL; at++) {
        const d = b[at]! - a[at]!;
        if (d > CHANGED || d < -CHANGED) {
          squares += d * d;
          changed++;
          continue;
        }
        n++;
        sum += a[at]!;
        sumSquares += a[at]! * a[at]!;
      }
    }
    if (n < CELL) continue;
    within += sumSquares / n - (sum / n) ** 2;
    cells++;
  }
  if (changed === 0) return;
  sums.removed += squares;
  sums.usual += changed * Math.max(SMOOTH, cells === 0 ? 0 : within / cells);
}

/**
 * Whether the scale ends in the grain of a window, at the end towards which it moved: black that cuts off the dark half of the grain
 * leaves a mean that is too light by up to σ/√(2π), and without its grain the window is as dark as it was meant to be.
 */
function isCut(plane: Plane, { width }: Area, x0: number, y0: number, change: number): boolean {
  if (Math.abs(change) < CHANGED) return false;
  const side = WINDOW * CELL;
  let cut = 0;
  for (let y = y0; y < y0 + side; y++) {
    for (let at = y * width + x0; at < y * width + x0 + side; at++) {
      if (change < 0 ? plane[at]! < CHANGED : plane[at]! > 255 - CHANGED) cut++;
    }
  }
  return cut > CUT * side * side;
}

/** @returns by how many levels its mean has changed. */
function addWindow(sums: CellSums, before: Float32Array, after: Float32Array, columns: number, first: number): number {
  const n = WINDOW * WINDOW;
  let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
  for (let row = 0; row < WINDOW; row++) {
    for (let column = 0; column < WINDOW; column++) {
      const p = before[first + row * columns + column]!;
      const q = after[first + row * columns + column]!;
      a += p;
      b += q;
      aa += p * p;
      bb += q * q;
      ab += p * q;
    }
  }
  const varianceA = aa / n - (a / n) ** 2;
  const varianceB = bb / n - (b / n) ** 2;
  const covariance = ab / n - (a / n) * (b / n);
  sums.variance += varianceA;
  sums.covariance += covariance;
  const bin = varianceBin(varianceA);
  sums.windows[bin]!++;
  if (covariance < KEPT * Math.sqrt(varianceA * Math.max(0, varianceB)) || varianceB < 1) sums.lost[bin]!++;
  return (b - a) / n;
}
