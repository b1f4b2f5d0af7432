import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', 'src');

/** Lower may not import higher; folders of one rank may not import each other, but for the order given by decimals. */
const RANKS: Record<string, number> = {
  'failpoints.ts': -2,
  'variables.ts': -1,
  'config.ts': 0,
  'errors.ts': 0,
  'log.ts': 0,
  'allocator.ts': 0,
  'startup.ts': 0.5,
  db: 1,
  storage: 2,
  pubsub: 2,
  limits: 2,
  imaging: 2,
  queue: 2,
  inference: 2.5,
  backup: 3,
  providers: 3,
  graphql: 3,
  events: 4.0,
  auth: 4.1,
  photos: 4.2,
  models: 4.3,
  restorations: 4.4,
  ops: 4.5,
  'schema.ts': 5,
  http: 5,
  web: 5,
  'entities.ts': 5,
  'faults.ts': 5,
  'mechanisms.ts': 5.1,
  'services.ts': 5.2,
  'app.ts': 6,
  'serve.ts': 7,
  'main.ts': 8,
  cli: 8,
  'cli.ts': 9,
};

interface Source {
  path: string;
  text: string;
  lines: number;
}

const sources: Source[] = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
  .map(({ path, text }) => ({ path, text, lines: text.split('\n').length - 1 }));
const own = sources.filter(({ path }) => !path.includes('generated') && !path.includes('migrations'));

const roomOf = (path: string): string => path.split('/')[0] ?? path;

function importsOf({ path, text }: Source) {
  const found = text.matchAll(
    /^(?:import|export)\s+(type\s)?[^;]*?from '(\.[^']+)'|^import '(\.[^']+)'|\bimport\('(\.[^']+)'\)/gms,
  );
  return [...found].map((match) => ({
    typeOnly: match[1] !== undefined,
    target: normalize(join(dirname(path), (match[2] ?? match[3] ?? match[4]) as string)),
  }));
}

describe('the house', () => {
  it('knows every room', () => {
    const unknown = [...new Set(sources.map(({ path }) => roomOf(path)))].filter((room) => !(room in RANKS));
    expect(unknown).toEqual([]);
  });

  it('imports only from lower ranks or its own folder', () => {
    const wrong = own.flatMap((source) => {
      const from = roomOf(source.path);
      return importsOf(source)
        .filter(({ target }) => !target.startsWith('..'))
        .filter(({ target, typeOnly }) => {
          const to = roomOf(target);
          if (to === from || (RANKS[to] ?? 99) < (RANKS[from] ?? 0)) return false;
          return !(source.path === 'graphql/context.ts' && typeOnly);
        })
        .map(({ target }) => `${source.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it.each([
    ['process.env', ['config.ts', 'allocator.ts', 'main.ts'], /process\.env\b|\benv \} = process|\{ env,/],
    ['sharp', ['imaging'], /from 'sharp'/],
    ['jose', ['auth'], /from 'jose'/],
    ['onnxruntime', ['inference'], /from 'onnxruntime-node'/],
  ])('touches %s only in %s', (_name, rooms, pattern) => {
    const elsewhere = own
      .filter(({ path, text }) => !rooms.includes(roomOf(path)) && pattern.test(text))
      .map(({ path }) => path);
    expect(elsewhere).toEqual([]);
  });

  it.each(['imaging/pixels/worker.ts', 'inference/thread.ts', 'inference/foreign/child.ts'])(
    'keeps sharp out of %s: each thread would load libvips and set it up anew for the whole process',
    (entry) => {
      const byPath = new Map(sources.map((source) => [source.path, source]));
      const reached = new Set([entry]);
      for (const path of reached) {
        const source = byPath.get(path);
        if (source === undefined) continue;
        for (const { target, typeOnly } of importsOf(source)) if (!typeOnly) reached.add(target);
      }
      const loading = [...reached].filter((path) =>
        /^import (?!type\b)[^;]*from 'sharp'/m.test(byPath.get(path)?.text ?? ''),
      );
      expect(loading).toEqual([]);
    },
  );

  it('asks sharp for headers and statistics in one place only, where they are counted', () => {
    const bare = own.filter(
      ({ path, text }) =>
        path !== 'imaging/company.ts' && /\)\s*\.(metadata|stats)\(\)|\bimage\.(metadata|stats)\(\)/.test(text),
    );
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  it('has no any, no enum, no decorator, no unfinished business', () => {
    const pattern = /:\s*any\b|<any>|as any\b|^\s*(?:export )?(?:const )?enum |TODO|FIXME|not implemented/m;
    expect(own.filter(({ text }) => pattern.test(text)).map(({ path }) => path)).toEqual([]);
  });

  it('takes no path from a URL as it stands: a space in it would be %20', () => {
    const raw = own.filter(({ text }) => /import\.meta\.url\)\.pathname/.test(text)).map(({ path }) => path);
    expect(raw).toEqual([]);
  });

  it('keeps files small: median under 90 lines, nine of ten under 230, none over 350', () => {
    const lengths = own.map(({ lines }) => lines).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(90);
    expect(lengths[Math.floor(lengths.length * 0.9)]).toBeLessThan(230);
    expect(own.filter(({ lines }) => lines > 350).map(({ path, lines }) => `${path}: ${lines}`)).toEqual([]);
  });

  it('is reached by relative paths with an extension', () => {
    const bare = own.flatMap((source) =>
      importsOf(source)
        .filter(({ target }) => !/\.(ts|json)$/.test(target))
        .map(({ target }) => `${source.path}: ${relative('.', target)}`),
    );
    expect(bare).toEqual([]);
  });

  it('gives a reason for every dependency in the README', () => {
    const read = (name: string): string => readFileSync(join(ROOT, '..', name), 'utf8');
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    const readme = read('README.md');
    const short = (name: string): string => name.replace('@escape.tech/graphql-armor-', '…-');
    const named = (name: string): boolean => readme.includes(`\`${name}\``) || readme.includes(`\`${short(name)}\``);
    expect(Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !named(name))).toEqual([]);
  });
});
