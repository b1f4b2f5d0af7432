import { BANDS, ENERGY_BINS, type FineSums } from '../pixels/harm-fine.ts';

/** The calmest blocks show the grain alone. */
const CALM = 0.1;
/** Blocks that a band of brightness needs for that, and the grain's energy in it against that of the calmest band at most. */
const LEAST_BLOCKS = 12;
const MOST_GRAIN = 12;
/** Energy against that of the grain from which a block has structure of its own. */
const BUSY = 4;
/** Energy that is no more than rounding. */
const ROUNDING = 0.1;

export interface FineChange {
  /** Share of the fine structure beyond the grain that is still there; undefined where there was none. */
  readonly kept: number | undefined;
  /** Share of the grain in the structure that `kept` is about: where it is large, nobody can part the two. */
  readonly grainy: number;
  /** Fine structure that has nothing to do with what was there, levels. */
  readonly invented: number;
  /** Grain that was there before where it is strongest, levels. */
  readonly grain: number;
}

const bandOf = (values: readonly number[], band: number): readonly number[] =>
  values.slice(band * ENERGY_BINS, (band + 1) * ENERGY_BINS);

/** Energy of the calmest blocks; undefined where there are too few to say. */
function calmEnergy(blocks: readonly number[], before: readonly number[], least: number): number | undefined {
  const count = total(blocks);
  if (count < least) return undefined;
  let seen = 0;
  const calm = blocks.findIndex((n) => (seen += n) >= count * CALM);
  return before[calm]! / blocks[calm]!;
}

/** The same over all bands together, for a picture of a few blocks. */
function calmOfAll(blocks: readonly number[], before: readonly number[]): number {
  const fold = (values: readonly number[]): number[] =>
    Array.from({ length: ENERGY_BINS }, (_, bin) =>
      total(Array.from({ length: BANDS }, (_b, band) => values[band * ENERGY_BINS + bin]!)),
    );
  return calmEnergy(fold(blocks), fold(before), 1) ?? 0;
}

/** Energy of the grain in each band of brightness. A band that is all texture has no calm blocks: what they seem to say is bounded. */
function grainByBand({ blocks, before }: FineSums): number[] {
  const bands = Array.from({ length: BANDS }, (_, band) =>
    calmEnergy(bandOf(blocks, band), bandOf(before, band), LEAST_BLOCKS),
  );
  const known = bands.filter((energy) => energy !== undefined);
  const calmest = known.length === 0 ? calmOfAll(blocks, before) : Math.min(...known);
  return bands.map((energy) => Math.min(energy ?? calmest, MOST_GRAIN * Math.max(ROUNDING, calmest)));
}

/**
 * With `before` = structure + grain, what `before` and `after` have in common is structure alone, as far as the work took out
 * nothing else: both energies compared say what was lost. What of `after` no multiple of `before` explains is new.
 */
export function fineChange(sums: FineSums, gain: number): FineChange {
  const { blocks, before, after, common } = sums;
  const count = total(blocks);
  if (count === 0) return { kept: undefined, grainy: 0, invented: 0, grain: 0 };
  const grain = grainByBand(sums);
  const scale = Math.max(0.2, gain);
  let [there, left, buried] = [0, 0, 0];
  blocks.forEach((n, bin) => {
    const around = n * grain[Math.floor(bin / ENERGY_BINS)]!;
    if (n === 0 || before[bin]! < BUSY * around + n * ROUNDING) return;
    there += before[bin]! - around;
    left += common[bin]! / scale;
    buried += around;
  });
  const strange = blocks.map((n, bin) =>
    n === 0 ? 0 : after[bin]! - common[bin]! ** 2 / Math.max(1e-9, before[bin]!),
  );
  return {
    kept: there < count * ROUNDING ? undefined : left / there,
    grainy: there <= 0 ? 0 : buried / (there + buried),
    invented: Math.sqrt(Math.max(0, total(strange)) / count) / scale,
    grain: Math.sqrt(Math.max(...grain)),
  };
}

export function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
