import type { RestorationReport, StepReport } from '../imaging/report.ts';

/** As a row has it: before there was a gate, a report was the list of its steps. */
export type StoredReport = RestorationReport | readonly StepReport[];

/** The step by which such a list said that the photo came back as it was. */
const GUARD = 'guard';

/** A stored report in the form of today. */
export function readReport(stored: StoredReport): RestorationReport {
  if (!isList(stored)) return stored;
  const guard = stored.find(({ name, ran }) => name === GUARD && ran);
  const steps = stored.filter(({ name }) => name !== GUARD);
  if (guard === undefined) return { steps, gate: null };
  return {
    steps: steps.map((step) => ({ ...step, ran: false, strength: 0 })),
    gate: { verdict: 'UNTOUCHED', reason: guard.reason, measures: [] },
  };
}

function isList(stored: StoredReport): stored is readonly StepReport[] {
  return Array.isArray(stored);
}
