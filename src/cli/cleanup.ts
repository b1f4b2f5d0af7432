import { createLog } from '../log.ts';
import type { CleanedUp } from '../ops/cleanup.ts';
import { defineCommand } from './command.ts';
import { withApp } from './data-folder.ts';

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
  ],
  options: {},
  async run(_input, { config, terminal }) {
    const settings = config();
    const done = await withApp(settings, createLog('error', process.stderr), (app) => app.services.cleanup.run());
    for (const [key, label] of Object.entries(LABELS)) {
      terminal.out(`${String(done[key as keyof CleanedUp]).padStart(5)} ${label}`);
    }
    return done.failed === 0 ? 'done' : 'failed';
  },
});
