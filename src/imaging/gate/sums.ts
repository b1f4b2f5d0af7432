import type { HarmSums } from '../pixels/harm.ts';

/** Anything of numbers, lists and records of them. */
type Sums = number | readonly Sums[] | { readonly [key: string]: Sums };

/** Sums of all tiles together. */
export function addHarm(parts: readonly HarmSums[]): HarmSums {
  return parts.reduce((a, b) => add(a as unknown as Sums, b as unknown as Sums) as unknown as HarmSums);
}

function add(a: Sums, b: Sums): Sums {
  if (typeof a === 'number') return a + (b as number);
  if (Array.isArray(a)) return a.map((one: Sums, i) => add(one, (b as readonly Sums[])[i]!));
  return Object.fromEntries(Object.entries(a).map(([key, one]) => [key, add(one, (b as Record<string, Sums>)[key]!)]));
}

/** The value below which `share` of what was counted lies; undefined where nothing was. */
export function quantile(bins: readonly number[], share: number, width: number): number | undefined {
  const total = bins.reduce((sum, n) => sum + n, 0);
  if (total === 0) return undefined;
  let seen = 0;
  // Rounded up, so that of a few windows the worst one counts.
  const bin = bins.findIndex((n) => (seen += n) >= Math.ceil(total * share));
  return bin * width;
}
