import type { Raster } from '../raster.ts';
import { addFine, emptyFine, halve, type FineSums } from './harm-fine.ts';
import { addShift, emptyShift, type ShiftSums } from './harm-shift.ts';
import { addCells, emptyCells, type CellSums } from './harm-cells.ts';
import { standsForOthers } from './lattice.ts';
import { readPlanes, type Plane } from './planes.ts';
import { growTile, type Tile } from './tile.ts';

export interface HarmInput {
  readonly before: Raster;
  /** As large as `before`, or a whole number of times as large. */
  readonly after: Raster;
  /** Whether every tile counts, however large the picture: where the work was done in places. */
  readonly everywhere: boolean;
}

/** What changed between two pictures, in sums that add up over tiles. Levels are 0–255. */
export interface HarmSums {
  readonly cells: CellSums;
  /** At full size and at half of it. */
  readonly fine: readonly [FineSums, FineSums];
  readonly shift: ShiftSums;
}

/** Even, so that pairs of pixels are the same in every tile. */
const HALO = 4;

/** Side of the squares in which pictures are compared, and of which some are left out. */
export const SQUARE = 256;

/** Compares two pictures on one tile, which begins at a multiple of 64 and ends there or at the edge; undefined where it need not count. */
export function harmTile(input: HarmInput, tile: Tile): HarmSums | undefined {
  const { before, after, everywhere } = input;
  if (!everywhere && !standsForOthers(before, tile, SQUARE)) return undefined;
  const from = growTile(tile, HALO, before.width, before.height);
  const area = {
    width: from.x1 - from.x0,
    x0: tile.x0 - from.x0,
    y0: tile.y0 - from.y0,
    x1: tile.x1 - from.x0,
    y1: tile.y1 - from.y0,
    height: from.y1 - from.y0,
  };
  const a = readPlanes(before, from);
  const b = readReduced(after, from, Math.round(after.width / before.width));
  const sums: HarmSums = { cells: emptyCells(), fine: [emptyFine(), emptyFine()], shift: emptyShift() };
  addCells(sums.cells, a, b, area);
  addFine(sums.fine[0], a[0]!, b[0]!, area);
  const half = halve(area);
  const [softA, softB] = [half.plane(a[0]!), half.plane(b[0]!)];
  addFine(sums.fine[1], softA, softB, half.area);
  addShift(sums.shift, softA, softB, half.area);
  return sums;
}

/** The tile of a picture that is `factor` times as large, reduced to the size of the tile by the mean. */
function readReduced(raster: Raster, { x0, y0, x1, y1 }: Tile, factor: number): Plane[] {
  if (factor === 1) return readPlanes(raster, { x0, y0, x1, y1 });
  const width = x1 - x0;
  const out: Plane[] = [];
  // Row by row: the enlarged tile as floats would take sixteen times the memory.
  for (let y = y0; y < y1; y++) {
    const strip = { x0: x0 * factor, y0: y * factor, x1: x1 * factor, y1: (y + 1) * factor };
    readPlanes(raster, strip).forEach((plane, p) => {
      const target = (out[p] ??= new Float32Array(width * (y1 - y0)));
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let dy = 0; dy < factor; dy++) {
          const at = (dy * width + x) * factor;
          for (let dx = 0; dx < factor; dx++) sum += plane[at + dx]!;
        }
        target[(y - y0) * width + x] = sum / (factor * factor);
      }
    });
  }
  return out;
}
