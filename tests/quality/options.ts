import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { QUALITIES, type Quality } from '../../src/imaging/nets.ts';
import { KIND_NAMES, type KindName } from './damage/kinds.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export const USAGE = `npm run quality -- [options]

  --pictures FOLDER      clean pictures; large ones are reduced to about 768×512 (default: samples/)
  --masks FOLDER         film-damage masks (PNG, alpha = damage) that are added to the scratches
  --kinds A,B            ${KIND_NAMES.join(', ')} (default: all)
  --models A,B           only these models of the service (default: all)
  --baselines WHICH      none | fast | all: all adds non-local means and the classical chain, seconds a picture (default: all)
  --quality LEVEL        FAST | BALANCED | BEST (default: BALANCED)
  --seed N               another set of damage (default: 1)
  --limit N              only so many pictures
  --out FILE             JSON with every trial (default: bench-results/quality.json)
  --contact-sheet FILE   PNG: before | after | clean, crops at 100 %
  --sheet-model NAME     whose results the sheet shows (default: auto)
  --write                puts the tables into README.md`;

export interface Options {
  readonly pictures: string;
  readonly masks: string | undefined;
  readonly kinds: readonly KindName[];
  readonly models: readonly string[] | undefined;
  readonly baselines: 'none' | 'fast' | 'all';
  readonly quality: Quality;
  readonly seed: number;
  readonly limit: number;
  readonly out: string;
  readonly sheet: string | undefined;
  readonly sheetModel: string;
  readonly write: boolean;
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new Error(`--${name} takes ${choices.join(', ')}, not “${value}”.`);
  return found;
}

function wholeNumber(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} takes a whole number, not “${value}”.`);
  return number;
}

/** @throws Error that says which option is wrong. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      pictures: { type: 'string', default: join(ROOT, 'samples') },
      masks: { type: 'string' },
      kinds: { type: 'string' },
      models: { type: 'string' },
      baselines: { type: 'string', default: 'all' },
      quality: { type: 'string', default: 'BALANCED' },
      seed: { type: 'string', default: '1' },
      limit: { type: 'string' },
      out: { type: 'string', default: join(ROOT, 'bench-results', 'quality.json') },
      'contact-sheet': { type: 'string' },
      'sheet-model': { type: 'string', default: 'auto' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  const chosen = values.kinds?.split(',').map((kind) => oneOf('kinds', kind, KIND_NAMES));
  return {
    pictures: values.pictures,
    masks: values.masks,
    kinds: chosen ?? KIND_NAMES,
    models: values.models?.split(','),
    baselines: oneOf('baselines', values.baselines, ['none', 'fast', 'all'] as const),
    quality: oneOf('quality', values.quality, QUALITIES),
    seed: wholeNumber('seed', values.seed),
    limit: values.limit === undefined ? Infinity : wholeNumber('limit', values.limit),
    out: values.out,
    sheet: values['contact-sheet'],
    sheetModel: values['sheet-model'],
    write: values.write,
  };
}
