import type { HarmSums } from '../pixels/harm.ts';
import { varianceBin } from '../pixels/harm-cells.ts';
import { total, type FineChange } from './fine.ts';

type Cells = HarmSums['cells'];

/** Mean variance of areas, levels squared, under which they may differ by their grain alone. */
const FLAT = 9;
/** Variance of the cells of a window from which it has structure, and how many times that of the grain it has to be. */
const STRUCTURED = 36;
const TIMES_GRAIN = 8;
/** Variance of the means of cells of 8 × 8 pixels against that of the grain at half size: they are 4 × 4 of its pixels. */
const CELL_SHARE = 1 / 8;

/** Whether there is no contrast at low frequencies that could be kept or lost. */
export function isFlat({ variance, brightness }: Cells): boolean {
  return variance <= FLAT * total(brightness);
}

/** How much the contrast at low frequencies has grown; fine structure grows with it. */
export function gainOf(cells: Cells): number {
  return isFlat(cells) ? 1 : cells.covariance / cells.variance;
}

/** What the grain of before adds to the variance of a window. */
const grainVariance = ([, half]: readonly FineChange[]): number => CELL_SHARE * (half?.grain ?? 0) ** 2;

/** As `gainOf`, without the contrast that was only grain. */
export function gainBeyondGrain(cells: Cells, fine: readonly FineChange[]): number | undefined {
  const variance = cells.variance - total(cells.windows) * grainVariance(fine);
  return isFlat({ ...cells, variance }) ? undefined : cells.covariance / variance;
}

/** The share of the windows with structure, beyond what grain may fake, that have another one now; undefined where there were none. */
export function changedStructure(cells: Cells, fine: readonly FineChange[]): number | undefined {
  const from = varianceBin(Math.max(STRUCTURED, TIMES_GRAIN * grainVariance(fine)));
  const structured = total(cells.windows.slice(from));
  return structured === 0 ? undefined : total(cells.lost.slice(from)) / structured;
}
