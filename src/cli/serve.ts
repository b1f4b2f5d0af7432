import { limitArenas } from '../allocator.ts';
import { defineCommand } from './command.ts';

export const serveCommand = defineCommand({
  summary: 'Run the service until Ctrl-C',
  description: [
    'Runs the service until Ctrl-C or SIGTERM, like `npm start`. Environment variables and `.env` configure it.',
  ],
  options: {},
  async run(_input, context) {
    limitArenas();
    const config = context.config();
    const [{ createApp }, { createLog }, { serve }] = await Promise.all([
      import('../app.ts'),
      import('../log.ts'),
      import('../serve.ts'),
    ]);
    const log = createLog(config.logLevel);
    await serve(await createApp(config, log), config, log);
  },
});
