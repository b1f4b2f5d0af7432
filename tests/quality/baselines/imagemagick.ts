import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decode, encodePng } from '../files.ts';
import type { Picture } from '../picture.ts';

const run = promisify(execFile);
const PROGRAMS = ['magick', 'convert'];
const DO = ['-despeckle', '-enhance'];

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-quality-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function apply(program: string, picture: Picture): Promise<Picture> {
  return withFolder(async (folder) => {
    const [from, to] = [join(folder, 'from.png'), join(folder, 'to.png')];
    await writeFile(from, await encodePng(picture));
    await run(program, [from, ...DO, to]);
    return decode(await readFile(to));
  });
}

/** ImageMagick's despeckle and enhance, or undefined where it is not installed: it has to do a small piece of work to count. */
export async function findImageMagick(): Promise<((picture: Picture) => Promise<Picture>) | undefined> {
  const plane = new Float32Array(16 * 16).map((_, i) => ((i * 37) % 256) / 255);
  const trial: Picture = { width: 16, height: 16, planes: [plane, plane, plane] };
  for (const program of PROGRAMS) {
    try {
      await apply(program, trial);
      return (picture) => apply(program, picture);
    } catch {
      // Not there, or not ImageMagick.
    }
  }
  return undefined;
}
