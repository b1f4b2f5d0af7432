/**
 * Changes pictures of the zoo in the ways that break parsers and holds the judge of uploads to its rule (C27): each is
 * taken and then decodes, shows and is written as declared, or it is refused with UNSUPPORTED_IMAGE, CORRUPT_IMAGE or
 * IMAGE_TOO_LARGE; nothing crashes, takes over 15 s or holds over 1 GB.
 *
 *     node tests/fuzz.ts [--seed 1] [--cases 10000] [--from 0] [--keep fuzz-failures]
 *
 * A case depends on its seed and number alone: `--seed 7 --from 123 --cases 1` makes case 123 of seed 7 again. The file
 * of a failed case is kept in the folder `--keep`, and the exit code is 1.
 */
import { parseArgs } from 'node:util';
import { fuzz } from './fixtures/zoo/fuzz.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '10000' },
    from: { type: 'string', default: '0' },
    keep: { type: 'string', default: 'fuzz-failures' },
  },
});
const [seed, cases, from] = [Number(values.seed), Number(values.cases), Number(values.from)];
let done = 0;
const report = await fuzz({
  seed,
  cases,
  from,
  keep: values.keep,
  onLine({ number, outcome, message }) {
    if (outcome === 'wrong') process.stdout.write(`case ${number} of seed ${seed}: ${message}\n`);
    if (++done % 1000 === 0) process.stdout.write(`${done} of ${cases}\n`);
  },
});
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.failures.length > 0 ? 1 : 0;
