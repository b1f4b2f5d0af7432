import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { FIGURES } from './figures.ts';
import type { Measured } from './figure.ts';
import { heading, intoReadme, line, table } from './table.ts';

const README = join(import.meta.dirname, '..', '..', 'README.md');

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string', default: 'bench-results/bench.json' },
    readme: { type: 'boolean', default: false },
  },
});

const unknown = (values.only ?? []).filter((name) => !FIGURES.some((figure) => figure.name === name));
if (unknown.length > 0) {
  console.error(`There is no figure ${unknown.join(', ')}; there are: ${FIGURES.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}

const machine = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
const date = new Date().toISOString().slice(0, 10);
const measured: Measured[] = [];
for (const figure of FIGURES.filter(({ name }) => values.only?.includes(name) ?? true)) {
  const dir = await mkdtemp(join(tmpdir(), `heirloom-bench-${figure.name}-`));
  try {
    console.error(`== ${figure.name}`);
    const lines = await figure.measure({
      rounds: Number(values.rounds),
      dir,
      note: (text) => console.error(`   ${text}`),
    });
    for (const one of lines) console.error(`   ${line(one)}`);
    measured.push(...lines);
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

console.log(`${heading(machine, date)}\n\n${table(measured)}`);
await mkdir(dirname(values.json), { recursive: true });
await writeFile(values.json, `${JSON.stringify({ machine, date, measured }, null, 2)}\n`);
// One figure alone would leave a table of one line.
if (values.only === undefined || values.readme) {
  await writeFile(README, intoReadme(await readFile(README, 'utf8'), machine, date, measured));
}
