import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Provider } from '../../src/providers/provider.ts';
import type { Baseline } from './baselines/index.ts';
import { createChance, KINDS, type Damaged, type KindName } from './damage/kinds.ts';
import type { FilmMask } from './damage/film-masks.ts';
import type { Clean } from './files.ts';
import { countMask, type MaskCount } from './metrics/mask.ts';
import { harms, score, type Score } from './metrics/score.ts';
import { rounded, type Picture, type Plane } from './picture.ts';
import { createRandom } from './random.ts';
import { restoreWith, type Restored, type Subject } from './service.ts';

/** One method on one damaged picture. */
export interface Trial {
  readonly picture: string;
  readonly kind: KindName;
  readonly strength: string;
  /** A baseline or one of the service's models. */
  readonly method: string;
  readonly own: boolean;
  readonly before: Score;
  readonly after: Score;
  /** What ended worse than it came, with the loss; empty: nothing. */
  readonly harms: readonly string[];
  /** Milliseconds per megapixel of the photo that came. */
  readonly msPerMp: number;
  /** The same in time of all cores together. */
  readonly cpuMsPerMp: number;
  /** Bytes of the process at its peak; only for our own. */
  readonly peakRss?: number;
  /** Pixels of the mask, also of one that found nothing: strictly, and forgiving one pixel beside the damage. */
  readonly mask?: { readonly strict: MaskCount; readonly near: MaskCount };
  /** What the model says it did. */
  readonly report?: Restored['report'];
}

export interface Plan {
  readonly pictures: AsyncIterable<Clean> | Iterable<Clean>;
  readonly kinds: readonly KindName[];
  readonly seed: number;
  readonly masks: readonly FilmMask[];
  readonly provider: Provider;
  readonly subjects: readonly Subject[];
  readonly baselines: readonly Baseline[];
  /** Ends the run after the picture under way; what was measured until then is the answer. */
  readonly signal?: AbortSignal;
  /** Told of each trial as it ends; `result` is what the method made. */
  readonly onTrial?: (trial: Trial, damaged: Damaged, result: Picture) => void;
}

/** The damaged picture that a seed, a picture's name, a kind and a strength stand for. */
export function damage(
  { name, picture }: Clean,
  kind: KindName,
  strength: string,
  { seed, masks }: Pick<Plan, 'seed' | 'masks'>,
): Promise<Damaged> {
  const chance = createChance(createRandom(seed, name, kind, strength), strength, masks);
  return KINDS[kind].make(picture, chance, strength);
}

const megapixels = ({ width, height }: Picture): number => (width * height) / 1e6;

const emptyMask = ({ width, height }: Picture): Plane => new Float32Array(width * height);

/** Everything on everything, one after the other, so that times mean something. */
export async function runTrials(plan: Plan): Promise<readonly Trial[]> {
  const { kinds, provider, subjects, baselines, signal, onTrial } = plan;
  const trials: Trial[] = [];
  const warm = new Set<string>();
  const dir = await mkdtemp(join(tmpdir(), 'heirloom-quality-'));
  try {
    for await (const clean of plan.pictures) {
      for (const kind of kinds) {
        for (const strength of KINDS[kind].strengths) {
          if (signal?.aborted === true) return trials;
          const damaged = await damage(clean, kind, strength, plan);
          const common = { picture: clean.name, kind, strength };
          const done: { trial: Omit<Trial, 'before' | 'harms'>; result: Picture }[] = [];
          for (const baseline of baselines.filter((one) => one.kinds.includes(kind))) {
            const cpu = process.cpuUsage();
            const began = performance.now();
            const result = rounded(await baseline.apply(damaged.picture, damaged));
            const msPerMp = (performance.now() - began) / megapixels(damaged.picture);
            const { user, system } = process.cpuUsage(cpu);
            const cpuMsPerMp = (user + system) / 1000 / megapixels(damaged.picture);
            const after = score(result, damaged.clean);
            done.push({ result, trial: { ...common, method: baseline.name, own: false, after, msPerMp, cpuMsPerMp } });
          }
          for (const subject of subjects.filter((one) => one.kinds.includes(kind))) {
            // The first run of a model loads what it needs.
            if (!warm.has(subject.name)) await restoreWith(provider, subject, damaged, dir);
            warm.add(subject.name);
            const made = await restoreWith(provider, subject, damaged, dir);
            const result = rounded(made.picture);
            const { truth } = damaged;
            // Whoever looks for damage and finds none has missed it.
            const looks = made.report.steps.some(({ name }) => name === 'repair');
            const found = made.mask ?? (looks ? emptyMask(damaged.picture) : undefined);
            const mask =
              truth === undefined || found === undefined
                ? {}
                : {
                    mask: {
                      strict: countMask(found, truth, damaged.picture),
                      near: countMask(found, truth, damaged.picture, 1),
                    },
                  };
            const trial = {
              ...common,
              method: subject.name,
              own: true,
              after: score(result, damaged.clean),
              msPerMp: made.milliseconds / megapixels(damaged.picture),
              cpuMsPerMp: made.cpuMilliseconds / megapixels(damaged.picture),
              peakRss: made.peakRss,
              report: made.report,
              ...mask,
            };
            done.push({ result, trial });
          }
          const before = done.find(({ trial }) => trial.method === 'nothing')?.trial.after;
          if (before === undefined) throw new Error('Doing nothing has to be among the baselines.');
          for (const { trial, result } of done) {
            const whole = { ...trial, before, harms: harms(before, trial.after, kind === 'undamaged') };
            trials.push(whole);
            onTrial?.(whole, damaged, result);
          }
        }
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return trials;
}
