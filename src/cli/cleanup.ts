import { createLog } from '../log.ts';
import type { CleanedUp } from '../ops/cleanup.ts';
import { defineCommand } from './command.ts';
import { withApp } from './data-folder.ts';
import { showPreview } from './dry-run.ts';
import { UsageError } from './exit.ts';
import { flag } from './options.ts';

const LABELS: Record<keyof CleanedUp, string> = {
  guests: 'guests removed with all their photos',
  sessions: 'idle sessions of accounts ended',
  temporaryFiles: 'old temporary files removed',
  orphanFiles: 'files removed that no photo or result names',
  foreignFiles: 'files left alone that are not of Heirloom',
  idempotencyKeys: 'old idempotency keys removed',
  failed: 'could not be ended; the next clean-up tries again',
};

export const cleanupCommand = defineCommand({
  summary: 'End idle sessions and remove what nobody needs, once',
  description: [
    'Does once what a running service does every few hours: ends the sessions that were not used for SESSION_CLEANUP_HOURS (guests go with all their photos), finishes removals that were cut short, and deletes files that nobody needs. The data folder must not be in use.',
    'With --dry-run it only says what that would be, also while a service runs, and changes nothing.',
  ],
  options: {
    'dry-run': flag('Say what would go, with the first few of each kind, and change nothing.'),
    list: flag('With --dry-run: every name, one a line behind its kind and a tab; the counts go to standard error.'),
  },
  async run({ values: { 'dry-run': dryRun, list } }, { config, terminal, interruptible }) {
    const settings = config();
    if (list && !dryRun) throw new UsageError('--list goes with --dry-run.');
    if (dryRun) {
      await showPreview(settings, terminal, { list, signal: interruptible() });
      return 'done';
    }
    const done = await withApp(settings, createLog('error', process.stderr), (app) => app.services.cleanup.run());
    for (const [key, label] of Object.entries(LABELS)) {
      terminal.out(`${String(done[key as keyof CleanedUp]).padStart(5)} ${label}`);
    }
    return done.failed === 0 ? 'done' : 'failed';
  },
});
