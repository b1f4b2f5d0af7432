import { constants } from 'node:fs';
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { ManifestError } from '../inference/manifest.ts';
import { ModelRefused } from '../inference/foreign/process.ts';
import { draftManifest, readFacts } from '../providers/onnx/draft.ts';
import { FAMILIES } from '../providers/onnx/families.ts';
import { isRestricted } from '../providers/onnx/licence.ts';
import { codeOf } from '../errors.ts';
import { defineCommand } from './command.ts';
import { CliError, reasonOf, UsageError } from './exit.ts';
import { choice, flag, text } from './options.ts';
import { exists } from './outputs.ts';

const SCALES = { 1: 1, 2: 2, 4: 4 } as const;

/** A name that a model may have, of that of its file. */
const nameFrom = (file: string): string =>
  basename(file, '.onnx')
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '');

/** Copies beside the target and renames, so that a half copied model is never found. */
async function copyInto(from: string, to: string, replace: boolean): Promise<void> {
  if (resolve(from) === resolve(to)) return;
  const part = `${to}.part`;
  try {
    await copyFile(from, part, constants.COPYFILE_FICLONE);
    if (!replace) {
      // Fails where there is one already, which the rename alone would not.
      await writeFile(to, '', { flag: 'wx' });
    }
    await rename(part, to);
  } catch (error) {
    await rm(part, { force: true });
    if (codeOf(error) === 'EEXIST') throw new CliError(`${to} exists already: take another --name, or say --replace.`);
    throw error;
  }
}

/** @throws CliError where a manifest would be lost, which somebody may have edited. */
async function refuseExisting(path: string): Promise<void> {
  if (await exists(path)) throw new CliError(`${path} exists already: take another --name, or say --replace.`);
}

/** Copies a model into MODELS_DIR and writes its manifest. */
export const addModelCommand = defineCommand({
  summary: 'add a model of your own in ONNX form',
  description: [
    'Copies FILE into MODELS_DIR, reads from it what it takes and gives, and writes a manifest beside it, which you may edit. A running service has to be started again to see it.',
    `Families: ${Object.entries(FAMILIES)
      .map(([name, { doc }]) => `${name} (${doc})`)
      .join('; ')}.`,
  ],
  operands: { usage: 'FILE', min: 1, max: 1 },
  options: {
    like: choice(FAMILIES, 'The family it belongs to.'),
    name: text('NAME', 'What it is called; by default after the file.'),
    title: text('TEXT', 'What people read.'),
    licence: text('SPDX', "The licence of its weights; by default the family's."),
    source: text('URL', 'Where it comes from.'),
    scale: choice(SCALES, 'How many times larger it makes a picture, where the file does not tell.'),
    detector: text('NAME', 'For faces: the model that finds them; by default yunet.'),
    replace: flag('Put it in the place of one of the same name.'),
  },
  examples: ['heirloom models add RealESRGAN_x4plus.onnx --like real-esrgan --licence BSD-3-Clause'],
  async run({ values, operands: [file = ''] }, { config, terminal, interruptible }) {
    if (values.like === undefined)
      throw new UsageError(`--like is missing: one of ${Object.keys(FAMILIES).join(', ')}.`);
    const { modelsDir, allowNoncommercialModels } = config();
    const name = values.name ?? nameFrom(file);
    const path = resolve(file);
    try {
      const opened = await readFacts(path, interruptible());
      const manifest = draftManifest(values.like, opened, { ...values, name });
      const described = join(modelsDir, `${name}.json`);
      await mkdir(modelsDir, { recursive: true });
      if (!values.replace) await refuseExisting(described);
      await copyInto(path, join(modelsDir, manifest.file), values.replace);
      await writeFile(`${described}.part`, `${JSON.stringify(manifest, null, 2)}\n`);
      await rename(`${described}.part`, described);
      terminal.out(`Added onnx/${name}: ${described}.`);
      if (manifest.detector !== undefined && !(await exists(join(modelsDir, `${manifest.detector}.json`)))) {
        terminal.note(
          `It needs ${manifest.detector}, a model that finds faces: add one with \`models add FILE --like yunet --name ${manifest.detector}\`.`,
        );
      }
      if (isRestricted(manifest.licence) && !allowNoncommercialModels) {
        terminal.note(
          `Its licence ${manifest.licence} forbids commercial use: set ALLOW_NONCOMMERCIAL_MODELS=true if yours is none.`,
        );
      }
    } catch (error) {
      if (error instanceof ModelRefused) throw new CliError(`${basename(file)} ${error.message}.`);
      if (error instanceof ManifestError) throw new CliError(error.message);
      if (typeof codeOf(error) === 'string')
        throw new CliError(`The model cannot be added: ${reasonOf(error)}.`, 'failed', error);
      throw error;
    }
  },
});
