import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { basename, dirname, extname, join } from 'node:path';
import { argv, exit, versions } from 'node:process';
import { createBaselines } from './baselines/index.ts';
import { readFilmMasks } from './damage/film-masks.ts';
import { KINDS } from './damage/kinds.ts';
import { listClean, readClean, type Clean } from './files.ts';
import { openShippedNets, openWholeNets } from './nets.ts';
import { readOptions, USAGE } from './options.ts';
import { figuresOf } from './report/figures.ts';
import { createSheet } from './report/sheet.ts';
import { summarise } from './report/summary.ts';
import { figureTable, intoReadme, methodTable } from './report/table.ts';
import { damage, runTrials } from './run.ts';
import { measureSeams, type Seam } from './seams.ts';
import { openProvider, subjectsOf } from './service.ts';

const README = join(import.meta.dirname, '..', '..', 'README.md');

function options() {
  try {
    return readOptions(argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return exit(2);
  }
}

const chosen = options();
if (chosen === 'help') {
  console.log(USAGE);
  exit(0);
}

async function* cleanPictures(paths: readonly string[]): AsyncGenerator<Clean> {
  for (const path of paths) yield { name: basename(path, extname(path)), picture: await readClean(path) };
}

const { seed: chosenSeed } = chosen;
// A README without the markers is told of before the work, not after.
if (chosen.write) intoReadme(await readFile(README, 'utf8'), '');
const paths = (await listClean(chosen.pictures)).slice(0, chosen.limit);
const masks = chosen.masks === undefined ? [] : await readFilmMasks(chosen.masks);
const baselines = await createBaselines(chosen.baselines);
const sheet = createSheet(chosen.sheetModel, 'medium');
const nets = await openShippedNets();
const provider = openProvider(nets);
const all = subjectsOf(provider, chosen.quality);
const subjects = all.filter(({ model }) => chosen.models?.includes(model) ?? true);
const unknown = chosen.models?.find((name) => !all.some(({ model }) => model === name));
if (unknown !== undefined) {
  console.error(
    `There is no model “${unknown}”; there are: ${[...new Set(all.map(({ model }) => model))].join(', ')}.`,
  );
  exit(2);
}

// Long runs may be ended with Ctrl-C: the tables show what there is by then.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
const trials = await runTrials({
  ...chosen,
  signal: stop.signal,
  pictures: cleanPictures(paths),
  masks,
  provider,
  subjects,
  baselines,
  onTrial(trial, damaged, result) {
    sheet.add(trial, damaged, result);
    if (!trial.own) return;
    const { picture, kind, strength, method, before, after, harms } = trial;
    const change = `${before.psnr.toFixed(2)} → ${after.psnr.toFixed(2)} dB, SSIM ${before.ssim.toFixed(3)} → ${after.ssim.toFixed(3)}`;
    console.error(`${picture} ${kind} ${strength} ${method}: ${change}${harms.length > 0 ? ' HARMED' : ''}`);
  },
});
await provider.close?.();

async function seamsOf(path: string): Promise<readonly Seam[]> {
  const whole = await openWholeNets();
  if (nets === undefined || whole === undefined) return [];
  const picture = await readClean(path);
  // Grain for the nets that restore, scratches for the one that finds them.
  const { picture: damaged } = await damage({ name: 'seams', picture }, 'soft-scratches', 'medium', {
    seed: chosenSeed,
    masks: [],
  });
  return measureSeams(nets, whole, damaged).finally(() => whole.close());
}
const seams = await seamsOf(paths[0]!);
await nets?.close();

const lines = summarise(trials);
const figures = figuresOf(trials, chosen.quality, chosen.baselines !== 'all', seams);
const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${versions.node}`;
const date = new Date().toISOString().slice(0, 10);
const set = `${paths.length} clean pictures, seed ${chosen.seed}, quality ${chosen.quality}${masks.length > 0 ? ', with film-damage masks' : ''}${stop.signal.aborted ? ', ended early' : ''}`;
const heading = `Measured on ${date}: ${machine}; ${set}.`;
const missing =
  chosen.baselines === 'none' || baselines.some(({ name }) => name === 'imagemagick')
    ? []
    : ['ImageMagick is not installed: its lines are not there.'];
const text = [heading, figureTable(figures), methodTable(lines), ...missing].join('\n\n');
console.log(text);

await mkdir(dirname(chosen.out), { recursive: true });
const json = {
  machine,
  date,
  options: chosen,
  pictures: paths.map((path) => basename(path)),
  kinds: KINDS,
  baselines: baselines.map(({ name, what }) => ({ name, what })),
  figures,
  seams,
  lines,
  harmed: trials.filter(({ own, harms }) => own && harms.length > 0),
  trials,
};
await writeFile(chosen.out, `${JSON.stringify(json, null, 1)}\n`);
if (chosen.sheet !== undefined) {
  const rows = await sheet.write(chosen.sheet);
  console.error(`${chosen.sheet}, from the top:\n${rows.map((name) => `  ${name}`).join('\n')}`);
}
if (chosen.write) await writeFile(README, intoReadme(await readFile(README, 'utf8'), text));
