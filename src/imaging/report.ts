/** What a step did to the photo, kept with the restoration and shown to its owner. */
export interface StepReport {
  readonly name: string;
  readonly ran: boolean;
  /** 0–1; 0 where it did not run, or where the gate left its work out. */
  readonly strength: number;
  /** One plain sentence or two: why it ran or did not, and what the gate made of it. */
  readonly reason: string;
}

/** What the gate made of the work, from the best to the worst, and what each means. */
export const GATE_VERDICTS = {
  UNTOUCHED: 'Nothing had to be done, or nothing that can be seen: the result is the photo as it was.',
  PASSED: 'The result was compared with the photo, and no harm was found.',
  LOWERED: 'A step went too far; less of it is in the result.',
  DROPPED: 'A step did harm and was left out; the others are in the result.',
  REFUSED: 'The work did harm as a whole: the result is the photo as it was.',
} as const;
export type GateVerdict = keyof typeof GATE_VERDICTS;

/** One comparison of a result with what it was made from. */
export interface GateMeasure {
  /** What was measured, e.g. `structure`. */
  readonly name: string;
  /** The step whose work was measured, or null for all steps together. */
  readonly step: string | null;
  readonly value: number;
  /** The value up to which it holds. */
  readonly limit: number;
  /** Of the value and the limit, e.g. `%`, `levels` (of 255), `px`. */
  readonly unit: string;
  readonly held: boolean;
  /** One plain sentence: what the value says. */
  readonly explanation: string;
}

/** What came out of comparing the result with the photo. */
export interface GateReport {
  readonly verdict: GateVerdict;
  /** One plain sentence or two, for the owner of the photo. */
  readonly reason: string;
  /** What was measured on the result, and whatever did not hold on the way there. */
  readonly measures: readonly GateMeasure[];
}

/** What was done to a photo, and whether it is the better for it. */
export interface RestorationReport {
  /** In the order of the work; empty where the provider cannot tell. */
  readonly steps: readonly StepReport[];
  /** Null where the result was not compared with the photo. */
  readonly gate: GateReport | null;
}
