import type { GateMeasure, GateReport, GateVerdict, RestorationReport, StepReport } from '../report.ts';
import type { Judged } from './gate.ts';

/** A step as it was planned, and what the gate left of its work. */
export interface Tried {
  readonly name: string;
  /** 0–1, as planned. */
  readonly strength: number;
  readonly reason: string;
  /** Undefined where it did not run. */
  readonly judged: Omit<Judged, 'raster'> | undefined;
  /** Its work was judged for itself alone: it stays when all the others together do harm. */
  readonly settled?: boolean;
  /** The picture has another size since: where its work was left out, a plain enlargement has its place. */
  readonly resized?: boolean;
}

/** The end of the work: all steps together. */
export interface Whole {
  readonly judged: Judged;
  /** The result is the photo as it was, or cannot be told from it. */
  readonly untouched: boolean;
}

/** What the owner of the photo is told of the steps and of the gate. */
export function conclude(tried: readonly Tried[], whole: Whole): RestorationReport {
  const steps = tried.map((step) => reportOf(step, whole));
  const measures = [...tried.flatMap(({ judged }) => judged?.failed ?? []), ...whole.judged.failed];
  const told = [...measures, ...whole.judged.measures.filter((measure) => !measures.includes(measure))];
  return { steps, gate: { ...sentence(tried, whole), measures: told } };
}

function reportOf(step: Tried, { judged: whole, untouched }: Whole): StepReport {
  const { name, strength, judged, settled, resized = false } = step;
  const did = judged === undefined ? 0 : judged.share * (untouched ? 0 : settled ? 1 : whole.share);
  const why = judged === undefined || judged.failed.length === 0 ? '' : ` ${consequence(judged, resized)}`;
  const reason = `${step.reason}${why}`;
  if (did === 0 && resized) return { name, ran: true, strength: rounded(strength), reason };
  return { name, ran: did > 0, strength: rounded(strength * did), reason };
}

/** Without the dust of floating point: 0.3 and not 0.30000000000000004. */
const rounded = (strength: number): number => Math.round(1000 * strength) / 1000;

function consequence({ share, failed }: Omit<Judged, 'raster'>, resized: boolean): string {
  const harm = harms(failed);
  if (share > 0) return `Only ${Math.round(100 * share)} % of it is in the result: at full strength ${harm}.`;
  return resized ? `It was done in the plainest way instead: ${harm}.` : `It was left out: ${harm}.`;
}

/** What went wrong, each harm once. */
function harms(failed: readonly GateMeasure[]): string {
  return [...new Set(failed.map(({ explanation }) => explanation.replace(/\.$/, '')))].join('; ');
}

const names = (steps: readonly Tried[]): string => steps.map(({ name }) => `“${name}”`).join(', ');

function sentence(tried: readonly Tried[], { judged, untouched }: Whole): Pick<GateReport, 'verdict' | 'reason'> {
  const worked = tried.filter((step) => step.judged !== undefined);
  const harmful = worked.filter((step) => step.judged!.failed.length > 0);
  const dropped = harmful.filter((step) => step.judged!.share === 0 && step.resized !== true);
  const lowered = harmful.filter((step) => !dropped.includes(step));
  const told = (verdict: GateVerdict, reason: string) => ({ verdict, reason });
  const asItWas = 'this is the photo as it was.';
  if (judged.share === 0 && judged.failed.length > 0) {
    const left = untouched ? asItWas : 'they were left out.';
    return told('REFUSED', `The steps together did harm (${harms(judged.failed)}): ${left}`);
  }
  if (untouched && dropped.length > 0) return told('REFUSED', `What was tried did harm and was left out: ${asItWas}`);
  if (untouched && worked.length > 0) return told('UNTOUCHED', `The changes were too small to see: ${asItWas}`);
  if (untouched) return told('UNTOUCHED', `Nothing had to be mended: ${asItWas}`);
  if (dropped.length > 0) return told('DROPPED', `Left out because of the harm it did: ${names(dropped)}.`);
  if (lowered.length > 0) return told('LOWERED', `Lowered because of the harm it did: ${names(lowered)}.`);
  if (judged.failed.length > 0)
    return told('LOWERED', 'The steps together went too far; less of them is in the result.');
  return told('PASSED', 'The result was compared with the photo, and no harm was found.');
}
