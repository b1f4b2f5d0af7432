import { createLog } from '../log.ts';
import { defineCommand } from './command.ts';
import { withApp } from './data-folder.ts';

export const cleanupCommand = defineCommand({
  summary: 'End idle sessions and remove what nobody needs, once',
  description: [
    'Does once what a running service does every few hours: ends the sessions that were not used for SESSION_CLEANUP_HOURS (guests go with all their photos), finishes removals that were cut short, and deletes old temporary files. The data folder must not be in use.',
  ],
  options: {},
  async run(_input, { config, terminal }) {
    const settings = config();
    const done = await withApp(settings, createLog('error', process.stderr), (app) => app.services.cleanup.run());
    terminal.out(
      `Removed ${done.guests} guests, ${done.sessions} idle sessions, ${done.temporaryFiles} temporary files and ${done.idempotencyKeys} idempotency keys.`,
    );
    if (done.failed === 0) return 'done';
    terminal.note(`${done.failed} could not be ended and will be tried again at the next clean-up.`);
    return 'failed';
  },
});
