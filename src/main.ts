import { createApp } from './app.ts';
import { ConfigError, loadEnvFile, readConfig } from './config.ts';
import { createLog } from './log.ts';
import { serve } from './serve.ts';

try {
  loadEnvFile();
  const config = readConfig();
  const log = createLog(config.logLevel);
  await serve(await createApp(config, log), config, log);
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
