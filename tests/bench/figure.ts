/**
 * One line of the table. `value` is the median of the rounds; a ratio compares ours with a baseline that was measured
 * in the same run, the two taking turns, since a time alone means little on a shared machine.
 */
export interface Measured {
  /** What was measured, in the words of the README's table. */
  readonly what: string;
  /** What it is compared with; `null` where the figure stands for itself. */
  readonly against: string | null;
  readonly value: number;
  readonly unit: '×' | 'ms' | 's' | 'MB' | '%';
  /** What must hold. */
  readonly must: { readonly atLeast: number } | { readonly atMost: number };
  /** Ours and the baseline's medians with their units, in a few words: "412 req/s to 530 req/s". */
  readonly detail: string;
  /** The value of each round, for the JSON. */
  readonly rounds: readonly number[];
}

export interface FigureContext {
  /** How often ours and the baseline are measured, taking turns: 5 unless told. */
  readonly rounds: number;
  /** An empty folder that is removed afterwards. */
  readonly dir: string;
  /** One line for the person who waits. */
  note(line: string): void;
}

/** A file of `figures/`; `npm run bench -- --only NAME` runs it alone. */
export interface Figure {
  readonly name: string;
  measure(context: FigureContext): Promise<readonly Measured[]>;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** @param share 0 to 1, e.g. 0.99; the nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
