import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { serve } from '../../src/serve.ts';
import { reportSteadily } from '../helpers/steady.ts';

// The service, with restorations that go on and on: `src/main.ts` and one line more.
const config = readConfig(process.env);
const log = createLog(config.logLevel);
const app = await createApp(config, log);
reportSteadily(app);
await serve(app, config, log);
