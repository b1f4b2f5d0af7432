import { throughSharp } from '../files.ts';
import { gaussianBlur } from '../filters.ts';
import type { Damaged, KindName } from '../damage/kinds.ts';
import { mapPlanes, type Picture } from '../picture.ts';
import { BICUBIC, LANCZOS, resample } from '../resample.ts';
import { findImageMagick } from './imagemagick.ts';
import { nonLocalMeans } from './nlm.ts';
import { fillFromRim, topHatMask } from './repair.ts';
import { gatedStretch } from './stretch.ts';

/** What anybody could do without Heirloom. */
export interface Baseline {
  readonly name: string;
  /** What it does, with its parameters. */
  readonly what: string;
  readonly kinds: readonly KindName[];
  /** Takes seconds a picture; run only with `--baselines all`. */
  readonly slow?: boolean;
  apply(picture: Picture, damaged: Damaged): Picture | Promise<Picture>;
}

const SAME_SIZE: readonly KindName[] = [
  'grain',
  'jpeg',
  'blur',
  'scratches',
  'soft-scratches',
  'fade',
  'mix',
  'undamaged',
];
/**
 * Strengths h = hColor of fastNlMeansDenoisingColored: the strong one, and those that did best on this damage among 8, 12, 16,
 * 20, 25 and 32 on three of the training pictures.
 */
const STRONG = 25;
const BEST_ON_GRAIN = 16;
const BEST_IN_CHAIN = 10;
const TOP_HAT = { radius: 3, threshold: 0.1, cap: 0.06 };

/** Stronger edges: level + amount·(level − blurred). */
function unsharp(picture: Picture, sigma: number, amount: number): Picture {
  return mapPlanes(picture, (plane) => {
    const soft = gaussianBlur(plane, picture, sigma);
    return plane.map((level, i) => level + amount * (level - soft[i]!));
  });
}

const enlarged = (picture: Picture, { clean }: Damaged, kernel: typeof LANCZOS): Picture =>
  resample(picture, clean.width, clean.height, kernel);

const BASELINES: readonly Baseline[] = [
  {
    name: 'nothing',
    what: 'the photo as it came; the half one enlarged by bicubic interpolation',
    kinds: [...SAME_SIZE, 'half'],
    apply: (picture, damaged) =>
      picture.width === damaged.clean.width ? picture : enlarged(picture, damaged, BICUBIC),
  },
  {
    name: 'median',
    what: 'median of 3×3 pixels (sharp)',
    kinds: SAME_SIZE,
    apply: (picture) => throughSharp(picture, (image) => image.median(3)),
  },
  {
    name: 'lanczos-unsharp',
    what: 'Lanczos ×2, then unsharp (σ 1.2, amount 0.5)',
    kinds: ['half'],
    apply: (picture, damaged) => unsharp(enlarged(picture, damaged, LANCZOS), 1.2, 0.5),
  },
  {
    name: 'stretch',
    what: 'stretch of each channel, only where the brightness has lost range',
    kinds: ['fade', 'undamaged'],
    apply: gatedStretch,
  },
  {
    name: 'nlm',
    what: `non-local means, h = hColor = ${STRONG}, patches 7×7 within 21×21`,
    kinds: ['grain'],
    slow: true,
    apply: (picture) => nonLocalMeans(picture, STRONG),
  },
  {
    name: 'nlm-tuned',
    what: `the same with h = hColor = ${BEST_ON_GRAIN}, which fits this grain best`,
    kinds: ['grain'],
    slow: true,
    apply: (picture) => nonLocalMeans(picture, BEST_ON_GRAIN),
  },
  {
    name: 'classical-chain',
    what: `top-hat mask (${2 * TOP_HAT.radius + 1} px, ${TOP_HAT.threshold}) filled from its rim, non-local means (h = ${BEST_IN_CHAIN}), gated stretch`,
    kinds: ['mix'],
    slow: true,
    apply(picture) {
      const repaired = fillFromRim(picture, topHatMask(picture, TOP_HAT));
      return gatedStretch(nonLocalMeans(repaired, BEST_IN_CHAIN));
    },
  },
];

/**
 * The baselines that can be run here.
 * @param which `none` leaves only doing nothing, `fast` leaves out the slow ones.
 */
export async function createBaselines(which: 'none' | 'fast' | 'all'): Promise<readonly Baseline[]> {
  if (which === 'none') return BASELINES.slice(0, 1);
  const own = BASELINES.filter(({ slow }) => which === 'all' || slow !== true);
  const imageMagick = await findImageMagick();
  if (imageMagick === undefined) return own;
  const what = 'ImageMagick -despeckle -enhance';
  return [...own, { name: 'imagemagick', what, kinds: SAME_SIZE, apply: (picture) => imageMagick(picture) }];
}
