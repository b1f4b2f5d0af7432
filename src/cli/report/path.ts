import { extname, join, resolve } from 'node:path';
import { UsageError } from '../exit.ts';
import { checkTarget, type Target } from '../outputs.ts';

/** What a report is, by the ending of its name. */
const KINDS: Readonly<Record<string, 'page' | 'sheet'>> = {
  '.html': 'page',
  '.htm': 'page',
  '.jpg': 'sheet',
  '.jpeg': 'sheet',
};

export interface ReportTarget {
  readonly path: string;
  readonly kind: 'page' | 'sheet';
}

/**
 * Where a report goes: the file that was named; otherwise beside the results, or in this folder when they are apart.
 *
 * @param asked a file name, or true for the name that fits.
 * @throws UsageError for a name that is of no report, CliError when it could not be written.
 */
export async function planReport(
  asked: string | true,
  photos: readonly string[],
  targets: readonly Target[],
  force: boolean,
): Promise<ReportTarget> {
  const [first] = targets;
  const together = targets.every(({ folder }) => resolve(folder) === resolve(first?.folder ?? ''));
  const name = targets.length === 1 ? `${first?.stem}-report.html` : 'restored-report.html';
  const path = asked === true ? join(together ? (first?.folder ?? '') : '', name) : asked;
  const kind = KINDS[extname(path).toLowerCase()];
  if (kind === undefined) throw new UsageError(`--report is ${path}: a report ends in .html, a picture of it in .jpg.`);
  for (const photo of photos) await checkTarget(path, photo, force);
  return { path, kind };
}
