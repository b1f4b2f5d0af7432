import type { App } from './app.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

function greeting(url: string, config: Config): string {
  return [
    `Heirloom is listening on ${url} (${config.mode})`,
    ...(config.graphiql ? [`  GraphiQL    ${url}/graphql`] : []),
    `  Data        ${config.dataDir}`,
    `  First photo open ${url}/ and drop one in, or run: npm run restore -- photo.jpg -o restored.jpg`,
    '',
  ].join('\n');
}

/** Runs the service until a signal ends it; a second signal ends it at once. */
export async function serve(app: App, config: Config, log: Log): Promise<void> {
  const { url } = await app.listen();
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'stopping');
    app.close().then(
      () => process.exit(0),
      (err: unknown) => {
        log.error({ err }, 'could not stop cleanly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // Last: who has read it may ask for the end at once.
  process.stderr.write(greeting(url, config));
}
