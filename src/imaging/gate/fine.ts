import type { HarmSums } from '../pixels/harm.ts';
import type { FineSums } from '../pixels/harm-fine.ts';

/** The calmest blocks show the grain alone. */
const CALM = 0.1;
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
  /** Grain that was there before, levels. */
  readonly grain: number;
}

/** Mean variance of areas, levels squared, under which they may differ by their grain alone. */
const FLAT = 9;

/** Whether there is no contrast at low frequencies that could be kept or lost. */
export function isFlat({ variance, brightness }: HarmSums['cells']): boolean {
  return variance <= FLAT * total(brightness);
}

/** How much the contrast at low frequencies has grown; fine structure grows with it. */
export function gainOf({ cells }: HarmSums): number {
  return isFlat(cells) ? 1 : cells.covariance / cells.variance;
}

/**
 * With `before` = structure + grain, what `before` and `after` have in common is structure alone, as far as the work took out
 * nothing else: both energies compared say what was lost. What of `after` no multiple of `before` explains is new.
 */
export function fineChange({ blocks, before, after, common }: FineSums, gain: number): FineChange {
  const count = total(blocks);
  if (count === 0) return { kept: undefined, grainy: 0, invented: 0, grain: 0 };
  let seen = 0;
  const calm = blocks.findIndex((n) => (seen += n) >= count * CALM);
  const grain = before[calm]! / blocks[calm]!;
  const scale = Math.max(0.2, gain);
  let [there, left, buried] = [0, 0, 0];
  blocks.forEach((n, bin) => {
    if (n === 0 || before[bin]! / n < BUSY * grain + ROUNDING) return;
    there += before[bin]! - n * grain;
    left += common[bin]! / scale;
    buried += n * grain;
  });
  const strange = blocks.map((n, bin) =>
    n === 0 ? 0 : after[bin]! - common[bin]! ** 2 / Math.max(1e-9, before[bin]!),
  );
  return {
    kept: there < count * ROUNDING ? undefined : left / there,
    grainy: there <= 0 ? 0 : buried / (there + buried),
    invented: Math.sqrt(Math.max(0, total(strange)) / count) / scale,
    grain: Math.sqrt(grain),
  };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
