import { builder } from '../graphql/builder.ts';
import { documented } from '../graphql/documented.ts';
import {
  GATE_VERDICTS,
  type GateMeasure,
  type GateReport,
  type RestorationReport,
  type StepReport,
} from '../imaging/report.ts';

const StepReportRef = builder.objectRef<StepReport>('StepReport').implement({
  description: 'What one step did to the photo, and why.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The step.' }),
    ran: t.exposeBoolean('ran', {
      description: 'False when the photo did not call for it, or when its work did harm and was left out.',
    }),
    strength: t.exposeFloat('strength', { description: '0 to 1; 0 where it did not run.' }),
    reason: t.exposeString('reason', { description: 'Why, in plain words.' }),
  }),
});

const VerdictEnum = builder.enumType('GateVerdict', {
  description: 'What came of comparing the result with the photo.',
  values: documented(GATE_VERDICTS),
});

const MeasureRef = builder.objectRef<GateMeasure>('GateMeasure').implement({
  description: 'One comparison of the result with the photo.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What was measured, e.g. `structure`.' }),
    step: t.exposeString('step', {
      nullable: true,
      description: 'The step whose work was measured; null for all steps together.',
    }),
    value: t.exposeFloat('value', { description: 'What was found.' }),
    limit: t.exposeFloat('limit', { description: 'The value up to which it holds.' }),
    unit: t.exposeString('unit', { description: 'Of value and limit, e.g. `%`, `levels` (of 255), `px`.' }),
    held: t.exposeBoolean('held', { description: 'False where it went beyond its limit.' }),
    explanation: t.exposeString('explanation', { description: 'What it says, in plain words.' }),
  }),
});

const GateRef = builder.objectRef<GateReport>('GateReport').implement({
  description: 'Whether the work did harm: the result is compared with the photo, and harm is taken back.',
  fields: (t) => ({
    verdict: t.expose('verdict', { type: VerdictEnum, description: 'What came of it.' }),
    reason: t.exposeString('reason', { description: 'Why, in plain words.' }),
    measures: t.field({
      type: [MeasureRef],
      description: 'What was measured: whatever did not hold first.',
      resolve: ({ measures }) => [...measures],
    }),
  }),
});

export const ReportRef = builder.objectRef<RestorationReport>('RestorationReport').implement({
  description: 'What was done to the photo, and whether it did harm.',
  fields: (t) => ({
    steps: t.field({
      type: [StepReportRef],
      description: 'What each step did and why; empty where the provider cannot tell.',
      resolve: ({ steps }) => [...steps],
    }),
    gate: t.field({
      type: GateRef,
      nullable: true,
      description: 'Null where the result was not compared with the photo.',
      resolve: ({ gate }) => gate,
    }),
  }),
});
