import { builder } from '../graphql/builder.ts';
import { documented } from '../graphql/documented.ts';
import {
  METADATA_POLICY_DOCS,
  OUTPUT_FORMAT_DOCS,
  QUALITY_DOCS,
  REPAIR_DOCS,
  type RestorationOptions,
} from './options.ts';

export const OutputFormatEnum = builder.enumType('OutputFormat', {
  description: 'The format of a result.',
  values: documented(OUTPUT_FORMAT_DOCS),
});

const MetadataPolicyEnum = builder.enumType('MetadataPolicy', {
  description: 'What of the metadata of the photo its result keeps.',
  values: documented(METADATA_POLICY_DOCS),
});

const QualityEnum = builder.enumType('Quality', {
  description: 'How much time a restoration may take; it picks the nets and their passes.',
  values: documented(QUALITY_DOCS),
});

const RepairEnum = builder.enumType('Repair', {
  description: 'Whether scratches and dust are looked for and filled.',
  values: documented(REPAIR_DOCS),
});

export const OptionsRef = builder.objectRef<RestorationOptions>('RestorationOptions').implement({
  description: 'How a restoration was asked for, defaults filled in.',
  fields: (t) => ({
    strength: t.exposeFloat('strength', { description: '0 leaves the photo as it is, 1 is the full effect.' }),
    upscale: t.exposeInt('upscale', { description: 'How many times longer each side becomes.' }),
    quality: t.field({
      type: QualityEnum,
      description: 'How much time it may take.',
      resolve: ({ quality }) => quality ?? 'BALANCED',
    }),
    repair: t.field({
      type: RepairEnum,
      description: 'Whether scratches and dust are looked for.',
      resolve: ({ repair }) => repair ?? 'AUTO',
    }),
    ownMask: t.boolean({
      description: 'Whether its owner said what to repair; `Restoration.mask` shows it.',
      resolve: ({ ownMask }) => ownMask ?? false,
    }),
    outputFormat: t.expose('outputFormat', { type: OutputFormatEnum, description: 'The format of the result.' }),
    outputQuality: t.exposeInt('outputQuality', {
      nullable: true,
      description: "1 to 100, for JPEG and WebP; null = the format's default.",
    }),
    metadataPolicy: t.expose('metadataPolicy', {
      type: MetadataPolicyEnum,
      description: 'What of the metadata is kept.',
    }),
    parameters: t.expose('parameters', { type: 'JSONObject', description: 'What only this model knows.' }),
  }),
});

export const OptionsInput = builder.inputType('RestorationOptionsInput', {
  description: 'How to restore. Everything has a default; what a model does not take is refused.',
  fields: (t) => ({
    strength: t.float({
      description:
        '0 leaves the photo as it is, 1 is the full effect (default). The size does not depend on it: at 0 an enlargement is a plain one.',
    }),
    upscale: t.int({
      description: 'How many times longer each side becomes: 1, 2 or 4, as far as the model takes it.',
    }),
    quality: t.field({ type: QualityEnum, description: 'How much time it may take. Default BALANCED.' }),
    repair: t.field({ type: RepairEnum, description: 'Whether scratches and dust are looked for. Default AUTO.' }),
    mask: t.field({
      type: 'Upload',
      description:
        'Your own mask, in place of what would be found: a grey picture of the same size as the photo as displayed, ' +
        'white = damage. `Restoration.mask` is one to begin with.',
    }),
    outputFormat: t.field({
      type: OutputFormatEnum,
      defaultValue: 'ORIGINAL',
      description: 'The format of the result.',
    }),
    outputQuality: t.int({ description: '1 to 100, for JPEG (default 92) and WebP (default 90).' }),
    metadataPolicy: t.field({
      type: MetadataPolicyEnum,
      defaultValue: 'STRIP_PRIVATE',
      description: 'What of the metadata of the photo the result keeps.',
    }),
    parameters: t.field({
      type: 'JSONObject',
      description: 'What only this model knows; `Model.parameters` lists it.',
    }),
  }),
});
