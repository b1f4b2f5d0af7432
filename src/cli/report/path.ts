import { extname, join, resolve } from 'node:path';
import { UsageError } from '../exit.ts';
import type { OptionalText } from '../options.ts';
import { checkTarget, comparisonPath, exists, resultPath, type Target } from '../outputs.ts';

/** What a report is, by the ending of its name. */
const KINDS: Readonly<Record<string, 'page' | 'sheet'>> = {
  '.html': 'page',
  '.htm': 'page',
  '.jpg': 'sheet',
  '.jpeg': 'sheet',
};

/** A word that can be nothing else behind `--report`: what a report can be, and pictures, so that none is taken for a photo by mistake. */
export const REPORT_FILE = /\.(?:html?|jpe?g|png|webp|avif|tiff?|gif|bmp)$/i;

export interface ReportTarget {
  readonly path: string;
  readonly kind: 'page' | 'sheet';
}

/**
 * Where a report goes: the file that was named; otherwise beside the results, or in this folder when they are apart.
 *
 * @param asked a file name, or true for the name that fits.
 * @throws UsageError for a name that is of no report, or may be that of a photo or a result; CliError when it could not be written.
 */
export async function planReport(
  asked: OptionalText | true,
  photos: readonly string[],
  targets: readonly Target[],
  force: boolean,
): Promise<ReportTarget> {
  const [first] = targets;
  const together = targets.every(({ folder }) => resolve(folder) === resolve(first?.folder ?? ''));
  const name = targets.length === 1 ? `${first?.stem}-report.html` : 'restored-report.html';
  const path = asked === true ? join(together ? (first?.folder ?? '') : '', name) : asked.text;
  const apart = asked !== true && asked.apart;
  const kind = KINDS[extname(path).toLowerCase()];
  const meant = 'a photo is named before --report';
  if (kind === undefined) {
    const hint = apart ? ` (${meant})` : '';
    throw new UsageError(`--report is ${path}: a report ends in .html, a picture of it in .jpg${hint}.`);
  }
  // Even with --force: whoever meant it as a photo would lose it.
  if (apart && kind === 'sheet' && (await exists(path))) {
    throw new UsageError(
      `${path} exists already. If it is an old contact sheet, --report=${path} --force writes over it; ${meant}.`,
    );
  }
  const results = targets.flatMap((target) => [resultPath(target, 'jpeg'), comparisonPath(target)]);
  if (results.some((result) => resolve(result) === resolve(path))) {
    throw new UsageError(`--report is ${path}: a result may be called so.`);
  }
  for (const photo of photos) await checkTarget(path, photo, force);
  return { path, kind };
}
