import { isDamageTold, MOST_DAMAGE } from '../damage-evidence.ts';
import { fillMasked } from '../fill.ts';
import { costOfFinding, findDamage } from '../find-damage.ts';
import type { Step, StepContext, StepOutcome } from '../pipeline.ts';
import type { Raster } from '../raster.ts';
import { STRENGTH_ZERO } from './strength-zero.ts';

/** Milliseconds per megapixel. */
const COST_OF_FILLING = 90;

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Share of the step's progress that finding takes. */
const FINDING = 0.6;

/** What was filled; nothing, where not one sample is another one, as at a strength of next to nothing. */
async function outcome(
  source: Raster,
  { raster, mask, reason }: { raster: Raster; mask: Raster; reason?: string },
  { pixels, signal }: Pick<StepContext, 'pixels' | 'signal'>,
): Promise<StepOutcome> {
  const { width, height } = source;
  const parts = await pixels.run('difference', { a: source, b: raster }, { width, height, tileWidth: 1024, signal });
  if (parts.every(({ squares }) => squares === 0)) {
    return { raster: source, ran: false, reason: 'Nothing can be seen of the filling at this strength.' };
  }
  return { raster, mask, ...(reason !== undefined && { reason }) };
}

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
      return { run: true, strength, weight: COST_OF_FILLING, reason, demanded: 'WHERE' };
    }
    const net = nets.find('mask', quality);
    const looks = asked === 'FORCE' || (chosen && net !== undefined);
    if (!looks && !isDamageTold(measurements, net !== undefined)) {
      const reason =
        net === undefined
          ? 'No net for finding damage can be used here, and the photo is too sharp to tell damage without one. With a mask of your own it is filled all the same.'
          : 'Neither grain nor softness tells fine lines from what the photo shows. repair: FORCE looks for damage all the same.';
      return { run: false, reason };
    }
    return {
      run: true,
      strength,
      weight: costOfFinding(net, measurements, quality) + COST_OF_FILLING,
      reason: 'Scratches and dust are looked for.',
      demanded: asked === 'FORCE' ? 'THAT' : undefined,
      net,
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
      return outcome(source, { raster: await fill(options.mask, 0), mask: options.mask }, context);
    }
    const found = await findDamage(source, net, { ...context, onProgress: (done) => onProgress(done * FINDING) });
    if (found === undefined) return { raster: source, ran: false, reason: 'No scratches and no dust were found.' };
    const most = MOST_DAMAGE[net === undefined ? 'classical' : options.repair === 'FORCE' ? 'FORCE' : 'AUTO'];
    if (found.coverage > most) {
      const reason = `What looks like damage covers ${percent(found.coverage)} of the photo, more than ${percent(most)}: it is rather what the photo shows, and was left alone.`;
      return { raster: source, ran: false, reason };
    }
    const reason = `Scratches and dust were found on ${percent(found.coverage)} of the photo and filled.`;
    return outcome(source, { raster: await fill(found.mask, FINDING), mask: found.mask, reason }, context);
  },
});

/** Where the photo calls for it, or its owner asks. */
export const repair = createRepair(false);
/** Picked as a model of its own. */
export const repairAlone = createRepair(true);
