import { availableParallelism, totalmem } from 'node:os';
import Database from 'better-sqlite3';
import { brokenFormats, imagingVersions } from '../../imaging/self-test.ts';
import { size } from '../size.ts';
import { ok, problem, warning, type Finding } from './finding.ts';

/** Two photos of the largest size that is taken, beside the service itself. */
const MEMORY = 1e9;

/** What this process may use: a container may have less than the machine. */
function memory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

export async function* examineMachine(): AsyncGenerator<Finding> {
  const bytes = memory();
  const machine = `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} cores, ${size(bytes)} of memory`;
  yield bytes >= MEMORY
    ? ok(machine)
    : warning(machine, `large photos need ${size(MEMORY)}: give more, or lower MAX_IMAGE_MEGAPIXELS`);

  const { sharp, vips } = imagingVersions();
  const broken = await brokenFormats();
  const imaging = `sharp ${sharp} with libvips ${vips}`;
  yield broken.length === 0
    ? ok(`${imaging} reads and writes every format`)
    : problem(`${imaging} cannot do ${broken.join(', ')}`, 'install again with `npm ci`');

  const database = new Database(':memory:');
  yield ok(`SQLite ${String(database.prepare('select sqlite_version()').pluck().get())}`);
  database.close();
}
