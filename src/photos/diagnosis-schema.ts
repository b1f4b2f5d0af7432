import { builder } from '../graphql/builder.ts';
import type { GraphQLContext } from '../graphql/context.ts';
import { documented } from '../graphql/documented.ts';
import { perContext } from '../graphql/loader.ts';
import type { Diagnosis, RecommendedStep } from './entity.ts';
import { FINDINGS, SEVERITIES, type Finding, type FindingKind } from './findings.ts';
import { PhotoRef } from './schema.ts';

const loadDiagnosis = perContext<GraphQLContext, Diagnosis | null>(async (context, photoIds) => {
  const rows = await context.services.diagnoses.of(context.em, photoIds);
  const byPhoto = new Map(rows.map((row) => [row.photoId, row]));
  await context.services.diagnoses.request(
    context,
    photoIds.filter((id) => !byPhoto.has(id)),
  );
  return photoIds.map((id) => byPhoto.get(id) ?? null);
});

const SeverityEnum = builder.enumType('Severity', {
  description: 'How much of a damage there is.',
  values: documented(SEVERITIES),
});

const FindingKindEnum = builder.enumType('FindingKind', {
  description: 'What a photo is looked at for.',
  values: documented(FINDINGS),
});

const FindingRef = builder.objectRef<Finding>('Finding').implement({
  description: 'One thing that was measured.',
  fields: (t) => ({
    kind: t.expose('kind', { type: FindingKindEnum, description: 'What it is; says what the value means.' }),
    value: t.exposeFloat('value', {
      nullable: true,
      description: 'In the unit that the kind names; null where it could not be measured.',
    }),
    severity: t.expose('severity', { type: SeverityEnum, description: 'What the value means for the photo.' }),
    line: t.exposeString('line', { description: 'One plain sentence.' }),
  }),
});

const RecommendedStepRef = builder.objectRef<RecommendedStep>('RecommendedStep').implement({
  description: 'A step that the model `auto` would run.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'As in the report of a restoration.' }),
    strength: t.exposeFloat('strength', { description: '0 to 1.' }),
    reason: t.exposeString('reason', { description: 'One plain sentence.' }),
  }),
});

const DiagnosisRef = builder.objectRef<Diagnosis>('Diagnosis').implement({
  description: 'What is wrong with a photo, measured on the original.',
  fields: (t) => {
    const finding = (kind: FindingKind) =>
      t.field({
        type: FindingRef,
        nullable: true,
        description: `${FINDINGS[kind]} Null where the file could not be read.`,
        resolve: ({ data }) => data.findings.find((one) => one.kind === kind) ?? null,
      });
    return {
      createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
      summary: t.string({ description: 'One plain sentence.', resolve: ({ data }) => data.summary }),
      findings: t.field({
        type: [FindingRef],
        description: 'All of them; empty where the file could not be read, which the summary says.',
        resolve: ({ data }) => [...data.findings],
      }),
      noise: finding('NOISE'),
      jpegQuality: finding('JPEG'),
      fade: finding('FADE'),
      cast: finding('CAST'),
      softness: finding('SOFTNESS'),
      damageCoverage: finding('DAMAGE'),
      monochrome: finding('MONOCHROME'),
      recommended: t.field({
        type: [RecommendedStepRef],
        description:
          'What the model `auto` would do at full strength, in this order, whatever DEFAULT_MODEL says; empty = it would leave the photo as it is.',
        resolve: ({ data }) => [...data.recommended],
      }),
    };
  },
});

builder.objectField(PhotoRef, 'diagnosis', (t) =>
  t.field({
    type: DiagnosisRef,
    nullable: true,
    description:
      'What is wrong with it; null until it is made, a moment after the upload, which viewerActivity says (PHOTO_DIAGNOSED). ' +
      'Asking for that of an older photo has it made.',
    resolve: ({ id }, _args, context) => loadDiagnosis(context, id),
  }),
);
