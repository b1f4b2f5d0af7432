import { openNets } from '../../inference/nets.ts';
import { ok, warning, type Examined, type Finding } from './finding.ts';

/** Loads each net that ships with Heirloom and tries it; without them the classical steps remain. */
export async function* examineNets({ config }: Pick<Examined, 'config'>): AsyncGenerator<Finding> {
  if (!config.useNets) {
    yield ok('the nets are switched off (USE_NETS): photos are restored by classical steps alone');
    return;
  }
  const nets = await openNets();
  try {
    const found = await nets.tryAll();
    for (const { name, msPerMegapixel } of found) {
      yield ok(`the net “${name}” works: ${(msPerMegapixel / 1000).toFixed(2)} s per megapixel`);
    }
    const problems = nets.problems();
    for (const { reason } of problems) {
      yield warning(
        reason.replace(/\.$/, ''),
        'photos are restored without it, by classical steps; install again with `npm ci`, or take the files in `models/` anew',
      );
    }
    if (found.length + problems.length === 0) {
      yield ok('there are no nets in `models/`: photos are restored by classical steps alone');
    }
  } finally {
    await nets.close();
  }
}
