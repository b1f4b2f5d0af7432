import type { RestorationOutcomeQuery } from '../generated/graphql.ts';

type Restoration = NonNullable<RestorationOutcomeQuery['restoration']>;

/** What one step of a restoration did, or why it did nothing. */
export interface StepOutcome {
  readonly name: string;
  readonly ran: boolean;
  /** 0 to 1. */
  readonly strength: number;
  readonly reason: string;
}

/** How a restoration went, in the words of the service. */
export interface Outcome {
  /** The name that people read. */
  readonly model: string;
  readonly steps: readonly StepOutcome[];
  /** What came of comparing the result with the photo; null where it was not compared. */
  readonly verdict: string | null;
  /** A link to a PNG, white where the photo was repaired; null where nothing was. */
  readonly mask: string | null;
}

/** Reads the answer of the service: the only place that knows the shape of its report. */
export function outcomeOf({ model, modelId, report, mask }: Restoration): Outcome {
  return {
    model: model?.name ?? modelId,
    steps: report?.steps ?? [],
    verdict: report?.gate?.reason ?? null,
    mask: mask?.url ?? null,
  };
}
