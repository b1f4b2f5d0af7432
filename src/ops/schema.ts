import { builder } from '../graphql/builder.ts';
import { OUTPUT_FORMATS } from '../imaging/encode.ts';
import { FORMATS } from '../imaging/limits.ts';
import { OutputFormatEnum } from '../restorations/options-schema.ts';
import type { Configuration } from './configuration.ts';
import type { Health } from './health.ts';

const HealthRef = builder
  .objectRef<Health & { version: string; startedAt: Date; missingFiles: number }>('Health')
  .implement({
    description: 'Whether the service can take work.',
    fields: (t) => ({
      ok: t.exposeBoolean('ok', { description: 'True when every part works.' }),
      database: t.boolean({ description: 'The database answers.', resolve: ({ checks }) => checks.database }),
      storage: t.boolean({ description: 'Files can be written.', resolve: ({ checks }) => checks.storage }),
      queue: t.boolean({ description: 'Waiting work is being taken up.', resolve: ({ checks }) => checks.queue }),
      waiting: t.int({ description: 'Jobs that wait.', resolve: ({ queue }) => queue.waiting }),
      running: t.int({ description: 'Jobs that run.', resolve: ({ queue }) => queue.running }),
      problems: t.stringList({
        description: 'A sentence for each part that does not work.',
        resolve: ({ problems }) => Object.entries(problems).map(([part, problem]) => `${part}: ${problem}`),
      }),
      missingFiles: t.exposeInt('missingFiles', {
        description: 'Photos and results whose file was not there when the service started; the log names them.',
      }),
      version: t.exposeString('version', { description: 'Version of Heirloom.' }),
      startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When the service started.' }),
    }),
  });

const ConfigurationRef = builder.objectRef<Configuration>('Configuration').implement({
  description: 'What a client should know before it asks: formats and limits. 0 = no limit.',
  fields: (t) => ({
    maxUploadBytes: t.expose('maxUploadBytes', { type: 'BigInt', description: 'Largest upload.' }),
    maxMegapixels: t.exposeFloat('maxMegapixels', { description: 'Most pixels of an upload, in millions.' }),
    maxSide: t.exposeInt('maxSide', { description: 'Longest side of an upload, in pixels.' }),
    maxOutputMegapixels: t.exposeFloat('maxOutputMegapixels', { description: 'Most pixels of a result, in millions.' }),
    maxConcurrentUploads: t.exposeInt('maxConcurrentUploadsPerSession', {
      description: 'Uploads at once in a session.',
    }),
    maxConcurrentRestorations: t.exposeInt('maxConcurrentPerSession', {
      description: 'Restorations running at once in a session.',
    }),
    maxQueuedRestorations: t.exposeInt('maxQueuedPerSession', { description: 'Restorations waiting in a session.' }),
    allowGuests: t.exposeBoolean('allowGuests', { description: 'Whether startGuestSession works.' }),
    allowRegistration: t.exposeBoolean('allowRegistration', { description: 'Whether register works.' }),
    defaultModel: t.exposeString('defaultModel', { description: 'Model used when a request names none.' }),
    mimeTypes: t.stringList({
      description: 'Image types that are taken.',
      resolve: ({ allowedMimeTypes }) =>
        allowedMimeTypes.length > 0 ? [...allowedMimeTypes] : Object.values(FORMATS).map(({ mimeType }) => mimeType),
    }),
    outputFormats: t.field({
      type: [OutputFormatEnum],
      description: 'Formats a result can have.',
      resolve: () => [...OUTPUT_FORMATS],
    }),
  }),
});

builder.queryFields((t) => ({
  health: t.field({
    type: HealthRef,
    description: 'Whether the service can take work.',
    resolve: async (_root, _args, { services: { health } }) => {
      const { version, startedAt, missingFiles } = health;
      return { ...(await health.ready()), version, startedAt, missingFiles: missingFiles() };
    },
  }),
  configuration: t.field({
    type: ConfigurationRef,
    description: 'Formats and limits of this server.',
    resolve: (_root, _args, { services }) => services.configuration,
  }),
}));
