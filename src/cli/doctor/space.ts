import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { size } from '../size.ts';
import { ok, problem, warning, type Examined, type Finding } from './finding.ts';

/** A photo of the largest size, its result and renditions, and the database have to fit. */
const LEAST = 200e6;
const LITTLE = 2e9;
/** Share of the files that a disk can still take. */
const FEW_FILES = 0.02;
const ADVICE = 'make room, or move DATA_DIR or STORAGE_PATH to a larger disk';

/** The folder itself, or the nearest one above it that is there. */
async function existing(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    if ((await stat(at).catch(() => null)) !== null || at === dirname(at)) return at;
  }
}

export async function* examineSpace({ config }: Examined): AsyncGenerator<Finding> {
  const disks = new Set<number>();
  for (const wanted of [config.dataDir, config.storagePath, dirname(config.databasePath)]) {
    const path = await existing(wanted);
    const { dev } = await stat(path);
    if (disks.has(dev)) continue;
    disks.add(dev);
    const { bavail, bsize, blocks, files, ffree } = await statfs(path);
    const free = bavail * bsize;
    const what = `${size(free)} of ${size(blocks * bsize)} free at ${path}`;
    if (free < LEAST) yield problem(what, ADVICE);
    else if (free < LITTLE) yield warning(what, ADVICE);
    else yield ok(what);
    // Some file systems do not count files.
    if (files > 0 && ffree / files < FEW_FILES) {
      yield warning(
        `room for ${ffree} more files at ${path}`,
        'remove small files, or use a disk made for more of them',
      );
    }
  }
}
