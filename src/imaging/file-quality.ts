import { readLuminanceTable } from './header/jpeg-tables.ts';
import { openSource } from './header/source.ts';
import { qualityOf } from './measure/jpeg-quality.ts';

/**
 * The quality a stored JPEG was saved with, 1–100, from its quantisation table; null for other formats and where the file has no table.
 *
 * @param format as `inspectImage` named it.
 * @throws what `fs` throws; the signal's reason.
 */
export async function fileQuality(path: string, format: string, signal: AbortSignal): Promise<number | null> {
  if (format !== 'jpeg') return null;
  await using source = await openSource(path, signal);
  const table = await readLuminanceTable(source);
  return table === null ? null : qualityOf(table);
}
