import { access } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineCommand, type CommandContext } from './command.ts';
import { connect, serverAddress } from './connect.ts';
import { SERVER } from './documents.ts';
import { UsageError } from './exit.ts';
import type { MetadataPolicy, OutputFormat, Quality, Repair, RestorationOptionsInput } from './generated/graphql.ts';
import { expandPhotos } from './inputs.ts';
import { checkModel, listModels } from './models.ts';
import { choice, flag, number, optionalText, settings, text, type Values } from './options.ts';
import { planTargets, type Target } from './outputs.ts';
import { planReport, REPORT_FILE } from './report/path.ts';
import { restoreAll } from './restore-all.ts';

const SAMPLE = fileURLToPath(new URL('../../samples/astronaut.jpg', import.meta.url));

const FORMATS: Record<string, OutputFormat> = {
  original: 'ORIGINAL',
  jpeg: 'JPEG',
  jpg: 'JPEG',
  png: 'PNG',
  webp: 'WEBP',
};
const METADATA: Record<string, MetadataPolicy> = {
  keep: 'KEEP',
  'strip-private': 'STRIP_PRIVATE',
  'strip-all': 'STRIP_ALL',
};
const QUALITIES: Record<string, Quality> = { fast: 'FAST', balanced: 'BALANCED', best: 'BEST' };
const REPAIRS: Record<string, Repair> = { auto: 'AUTO', off: 'OFF', force: 'FORCE' };
const UPSCALES: Record<string, number> = { 1: 1, 2: 2, 4: 4 };

const OPTIONS = {
  output: text('PATH', 'Where the result goes: a file, or a folder. Default: beside the photo, as NAME-restored.', {
    short: 'o',
  }),
  force: flag('Write over files that exist. The photo itself is never written over.', { short: 'f' }),
  compare: flag('Also write a before/after picture as …-compare.jpg beside the result.'),
  report: optionalText(
    'FILE',
    'Also write a report of all photos: before, after, what was done and why. FILE ends in .html (a page to open in a browser), or in .jpg for a contact sheet; name the photos before it. Default: an .html beside the results.',
    REPORT_FILE,
  ),
  model: text('ID', 'The model; --list-models shows them. Default: what the service uses by default.', { short: 'm' }),
  'list-models': flag('Show the models and stop.'),
  strength: number(
    '0…1',
    '0 leaves the photo as it is (an enlargement is a plain one), 1 is the full effect. Default 1.',
    { min: 0, max: 1 },
  ),
  upscale: choice(UPSCALES, 'How many times longer each side becomes, as far as the model takes it.'),
  format: choice(FORMATS, 'Format of the result. Default: that of the -o file, otherwise that of the photo.'),
  quality: choice(QUALITIES, 'How much time it may take, as far as the model takes it. Default balanced.'),
  repair: choice(REPAIRS, 'Whether scratches and dust are looked for, as far as the model takes it. Default auto.'),
  parameter: settings(
    'Something that only this model knows; --list-models shows what. VALUE is JSON, or else a text. May be given several times.',
  ),
  mask: text('FILE', 'Repair what this picture marks: of the size of the photo, damage white, everything else black.'),
  'save-mask': flag(
    'Also write what was repaired, as ….mask.png beside the result: white what was found, grey what was filled beside it.',
  ),
  'output-quality': number('1…100', 'Quality of a JPEG (default 92) or WebP (default 90).', {
    min: 1,
    max: 100,
    whole: true,
  }),
  metadata: choice(METADATA, 'What of the metadata is kept. Default strip-private: place and serial numbers go.'),
  server: text('URL', 'Use this service. Default: the one that works on DATA_DIR, or one started for this command.'),
  token: text(
    'TOKEN',
    'Sign in with this token, and keep the photos there. Default: as a guest who leaves nothing behind.',
  ),
  verbose: flag('Show the log of the service that is started for this command.'),
};

type Given = Values<typeof OPTIONS>;

function restorationOptions(given: Given, asked: OutputFormat | undefined): RestorationOptionsInput {
  const { strength, upscale, quality, repair, parameter, metadata, 'output-quality': outputQuality } = given;
  if (asked !== undefined && given.format !== undefined && given.format !== 'ORIGINAL' && given.format !== asked) {
    throw new UsageError(
      `-o ${given.output} asks for ${asked}, but --format for ${given.format}: leave one of them out.`,
    );
  }
  const outputFormat = asked ?? given.format;
  return {
    ...(strength === undefined ? {} : { strength }),
    ...(upscale === undefined ? {} : { upscale }),
    ...(quality === undefined ? {} : { quality }),
    ...(repair === undefined ? {} : { repair }),
    ...(parameter === undefined ? {} : { parameters: parameter }),
    ...(outputQuality === undefined ? {} : { outputQuality }),
    ...(metadata === undefined ? {} : { metadataPolicy: metadata }),
    ...(outputFormat === undefined ? {} : { outputFormat }),
  };
}

/** The photos and where each result goes. */
async function plan(
  named: readonly string[],
  { output, report }: Pick<Given, 'output' | 'report'>,
  { terminal }: CommandContext,
): Promise<{ photos: string[]; targets: Target[]; format: OutputFormat | undefined }> {
  if (named.length > 0) {
    const photos = await expandPhotos(named, typeof report === 'object' ? report.text : undefined);
    return { photos, ...(await planTargets(photos, output)) };
  }
  await access(SAMPLE).catch(() => {
    throw new UsageError('Which photo?');
  });
  terminal.note('No photo was named, so this restores the sample photo that comes with Heirloom.');
  const { targets, format } = await planTargets(['astronaut.jpg'], output);
  return { photos: [relative('', SAMPLE)], targets, format };
}

export const restoreCommand = defineCommand({
  summary: 'Restore photos',
  description: [
    'Restores photos: sends each to the service, follows the work and writes the result beside the photo, or where -o says. A folder stands for the photos in it. Without a photo it restores the sample that comes with Heirloom.',
    'It uses the service that works on DATA_DIR, or starts one for as long as it takes; nothing has to run before. Ctrl-C cancels the work and leaves no half-written file. With several photos, one that fails does not stop the others.',
  ],
  operands: { usage: '[PHOTO or FOLDER …]', min: 0, max: Number.POSITIVE_INFINITY },
  options: OPTIONS,
  examples: [
    'npm run restore -- photo.jpg -o restored.jpg --compare',
    'npm run restore -- album/ -o restored/ --report',
    'npm run restore -- photo.jpg --model upscale-2x --format png',
    'npm run restore -- photo.jpg --model repair --save-mask',
    'npm run restore -- photo.jpg --model repair --mask scratches.png',
    'npm run restore -- photo.jpg --model onnx/codeformer --parameter weight=0.7',
    'npm run restore -- photo.jpg --server https://photos.example.org --token …',
  ],
  async run({ values, operands }, context) {
    const { terminal } = context;
    const server = values.server === undefined ? undefined : serverAddress(values.server);
    const list = values['list-models'];
    const { photos, targets, format } = list
      ? { photos: [], targets: [], format: undefined }
      : await plan(operands, values, context);
    if (values.mask !== undefined && photos.length > 1) throw new UsageError('--mask is for one photo.');
    const options = restorationOptions(values, format);
    const report =
      list || values.report === undefined ? undefined : await planReport(values.report, photos, targets, values.force);
    const signal = context.interruptible();
    const config = () => context.config();
    await using connection = await connect({
      server,
      token: values.token,
      verbose: values.verbose,
      config,
      terminal,
      signal,
    });
    const { client } = connection;
    if (list) {
      await listModels(client, terminal, signal);
      return 'done';
    }
    if (values.model !== undefined) await checkModel(client, values.model, signal);
    const { maxUploadBytes } = (await client.execute(SERVER, {}, signal)).configuration;
    const { model: modelId, mask, compare, 'save-mask': saveMask, force } = values;
    const chosen = { modelId, options, mask, maxUploadBytes, compare, saveMask, force };

    const { items, exit } = await restoreAll(client, photos, targets, chosen, { terminal, signal });
    if (report !== undefined) {
      terminal.status('Writing the report …');
      const { writeReport } = await import('./report/write.ts');
      await writeReport(client, report, items, { force: values.force, signal });
      terminal.status(null);
      terminal.out(`Report: ${report.path}`);
    }
    return exit;
  },
});
