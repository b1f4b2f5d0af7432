import { fillMasked } from '../fill.ts';
import { costOfFinding, findDamage } from '../find-damage.ts';
import type { Measurements } from '../measure/measurements.ts';
import { ramp } from '../measure/tone.ts';
import type { Step } from '../pipeline.ts';
import type { Raster } from '../raster.ts';
import { STRENGTH_ZERO } from './strength-zero.ts';

/**
 * A photo has to be soft or grainy before damage is looked for unasked: a crisp one, faded or not, has wires, hair and jewellery that
 * look the same. Blur of the typical edge in pixels, since scratches are sharp themselves; σ of the grain in 8-bit levels.
 */
const SOFT = { from: 0.75, to: 1.05 } as const;
const GRAINY = { from: 3, to: 6 } as const;
/** Without a net, what is fine in a picture is told from damage only where nothing in it is sharp. */
const VERY_SOFT = { from: 1.15, to: 1.4 } as const;
/** Share of the picture beyond which it is rather its content that was found: unasked, asked for, and without a net. */
const MOST = { AUTO: 0.06, FORCE: 0.15, classical: 0.055 } as const;
/** Milliseconds per megapixel. */
const COST_OF_FILLING = 90;

/** How sure it is that fine lines and specks are not what the photo shows, 0–1. */
function calling({ sharpness, noise }: Measurements, hasNet: boolean): number {
  if (!hasNet) return ramp(sharpness.blurSigma ?? 0, VERY_SOFT.from, VERY_SOFT.to);
  return Math.max(ramp(sharpness.typicalSigma ?? 0, SOFT.from, SOFT.to), ramp(noise.sigma, GRAINY.from, GRAINY.to));
}

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Share of the step's progress that finding takes. */
const FINDING = 0.6;

/**
 * Finds scratches and dust, or takes the mask of the photo's owner, and fills them from what is around them.
 *
 * @param chosen whether somebody has picked just this: then a net looks for damage in sharp photos, too.
 */
const createRepair = (chosen: boolean): Step => ({
  name: 'repair',
  stage: 'REPAIRING',
  plan(measurements, { strength, repair: asked = 'AUTO', quality = 'BALANCED', mask }, nets) {
    if (asked === 'OFF') return { run: false, reason: 'No repair was asked for.' };
    if (strength === 0) return STRENGTH_ZERO;
    if (mask !== undefined) {
      const reason = 'Filled what your mask marks.';
      return { run: true, strength: 1, weight: COST_OF_FILLING, reason, demanded: true };
    }
    const net = nets.find('mask', quality);
    const looks = asked === 'FORCE' || (chosen && net !== undefined);
    if (!looks && calling(measurements, net !== undefined) < 0.5) {
      const reason =
        net === undefined
          ? 'No net for finding damage can be used here, and the photo is too sharp to tell damage without one. With a mask of your own it is filled all the same.'
          : 'The photo is sharp and clean, so fine lines are what it shows. repair: FORCE looks for damage all the same.';
      return { run: false, reason };
    }
    return {
      run: true,
      strength: 1,
      weight: costOfFinding(net, measurements, quality) + COST_OF_FILLING,
      reason: 'Scratches and dust are looked for.',
      net,
      demanded: asked === 'FORCE',
    };
  },

  async run(source, context) {
    const { options, net, signal, onProgress } = context;
    const fill = (mask: Raster, from: number): Promise<Raster> =>
      fillMasked(source, mask, {
        pixels: context.pixels,
        share: options.strength,
        signal,
        onProgress: (done) => onProgress(from + (1 - from) * done),
      });
    if (options.mask !== undefined) {
      return { raster: await fill(options.mask, 0), mask: options.mask };
    }
    const found = await findDamage(source, net, { ...context, onProgress: (done) => onProgress(done * FINDING) });
    if (found === undefined) return { raster: source, ran: false, reason: 'No scratches and no dust were found.' };
    const most = net === undefined ? MOST.classical : MOST[options.repair === 'FORCE' ? 'FORCE' : 'AUTO'];
    if (found.coverage > most) {
      const reason = `What looks like damage covers ${percent(found.coverage)} of the photo, more than ${percent(most)}: it is rather what the photo shows, and was left alone.`;
      return { raster: source, ran: false, reason };
    }
    const reason = `Scratches and dust were found on ${percent(found.coverage)} of the photo and filled.`;
    return { raster: await fill(found.mask, FINDING), mask: found.mask, reason };
  },
});

/** Where the photo calls for it, or its owner asks. */
export const repair = createRepair(false);
/** Picked as a model of its own. */
export const repairAlone = createRepair(true);
