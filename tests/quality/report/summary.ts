import type { KindName } from '../damage/kinds.ts';
import { f1 } from '../metrics/mask.ts';
import type { Score } from '../metrics/score.ts';
import type { Trial } from '../run.ts';

/** All trials of one method on one kind. */
export interface Summary {
  readonly kind: KindName;
  readonly method: string;
  readonly own: boolean;
  readonly count: number;
  /** The means. */
  readonly score: Score;
  /** How many ended worse than they came. */
  readonly harmed: number;
  /** Medians. */
  readonly msPerMp: number;
  readonly cpuMsPerMp: number;
  /** Bytes, the largest. */
  readonly peakRss?: number;
  /** Of the mask over all pictures: strictly, and forgiving one pixel. */
  readonly f1?: { readonly strict: number; readonly near: number };
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function summary(trials: readonly Trial[], { kind, method, own }: Trial): Summary {
  const score = (key: keyof Score): number => mean(trials.map(({ after }) => after[key]));
  const peaks = trials.flatMap(({ peakRss }) => (peakRss === undefined ? [] : [peakRss]));
  const masks = trials.flatMap(({ mask }) => (mask === undefined ? [] : [mask]));
  return {
    kind,
    method,
    own,
    count: trials.length,
    score: { psnr: score('psnr'), ssim: score('ssim'), aligned: score('aligned') },
    harmed: trials.filter(({ harms }) => harms.length > 0).length,
    msPerMp: median(trials.map(({ msPerMp }) => msPerMp)),
    cpuMsPerMp: median(trials.map(({ cpuMsPerMp }) => cpuMsPerMp)),
    ...(peaks.length === 0 ? {} : { peakRss: Math.max(...peaks) }),
    ...(masks.length === 0
      ? {}
      : { f1: { strict: f1(masks.map(({ strict }) => strict)), near: f1(masks.map(({ near }) => near)) } }),
  };
}

/** One line per kind and method, in the order in which they first appear. */
export function summarise(trials: readonly Trial[]): readonly Summary[] {
  const groups = Map.groupBy(trials, ({ kind, method }) => `${kind}/${method}`);
  return [...groups.values()].map((group) => summary(group, group[0]!));
}
