import { AppError } from '../errors.ts';
import type { Client } from './client.ts';
import { CliError, reasonOf, type Exit } from './exit.ts';
import type { Target } from './outputs.ts';
import { createProgress } from './progress.ts';
import type { ReportItem } from './report/write.ts';
import { restorePhoto, type Done, type RestoreSettings } from './restore-photo.ts';
import { size } from './size.ts';
import type { Terminal } from './terminal.ts';

function summary(photo: string, { path, restored }: Done): string {
  const { width, height, format, durationMs } = restored;
  const facts = [
    ...(width === null || height === null ? [] : [`${width} × ${height}`]),
    ...(format === null ? [] : [format.toUpperCase()]),
    ...(restored.bytes === null ? [] : [size(restored.bytes)]),
    ...(durationMs === null ? [] : [`${(durationMs / 1000).toFixed(1)} s`]),
  ];
  return `${photo} -> ${path} (${facts.join(', ')})`;
}

/** What was done, for whoever wonders why so much or so little has changed. */
function explanation({ outcome }: Done): string[] {
  if (outcome === null) return [];
  const steps = outcome.steps.filter(({ ran }) => ran).map(({ name, reason }) => `  ${name}: ${reason}`);
  return outcome.verdict === null ? steps : [...steps, `  ${outcome.verdict}`];
}

/** Says why one photo was not restored. The others go on. */
function failure(error: unknown): { exit: Exit; message: string } {
  if (error instanceof AppError) return { exit: 'refused', message: `${error.code}: ${error.message}` };
  if (error instanceof CliError) return { exit: error.exit, message: error.message };
  return { exit: 'failed', message: `${reasonOf(error)}.` };
}

/**
 * Restores photos one after the other and tells of each; one that fails does not stop the others.
 *
 * @param targets one for each photo.
 * @returns how each ended, and how the command ends.
 * @throws the reason of `signal`.
 */
export async function restoreAll(
  client: Client,
  photos: readonly string[],
  targets: readonly Target[],
  settings: RestoreSettings,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<{ items: ReportItem[]; exit: Exit }> {
  const items: ReportItem[] = [];
  const exits: Exit[] = [];
  for (const [index, photo] of photos.entries()) {
    const target = targets[index];
    if (target === undefined) continue;
    const label = photos.length > 1 ? `[${index + 1}/${photos.length}] ${photo}` : photo;
    const progress = createProgress(terminal, label);
    try {
      const done = await restorePhoto(client, photo, target, settings, progress, signal);
      progress.end();
      terminal.out(summary(photo, done));
      if (done.comparison !== undefined) terminal.out(`${photo} -> ${done.comparison} (before and after)`);
      if (done.mask != null) terminal.out(`${photo} -> ${done.mask} (what was repaired)`);
      if (done.mask === null) terminal.note(`${photo}: nothing was repaired, so there is no mask.`);
      for (const line of explanation(done)) terminal.note(line);
      items.push({ photo, done });
    } catch (error) {
      progress.end();
      signal.throwIfAborted();
      const { exit, message } = failure(error);
      exits.push(exit);
      items.push({ photo, failure: message });
      terminal.note(`${photo}: ${message}`);
    }
  }
  if (photos.length > 1) terminal.note(`${photos.length - exits.length} of ${photos.length} photos restored.`);
  return { items, exit: exits.includes('refused') ? 'refused' : (exits[0] ?? 'done') };
}
