import type { Config } from './config.ts';
import type { ServiceContext } from './db/context.ts';
import { createHttpServer } from './http/server.ts';
import { createSlots } from './limits/slots.ts';
import type { Log } from './log.ts';
import { openMechanisms } from './mechanisms.ts';
import { createFileSource } from './restorations/files.ts';
import { reconcile } from './restorations/reconcile.ts';
import { schema } from './schema.ts';
import { createFeatures, type Services } from './services.ts';
import { explainStartup } from './startup.ts';
import { GRAPHIQL_TABS } from './web/graphiql-tabs.ts';
import { PAGES } from './web/pages.ts';

export interface App {
  readonly services: Services;
  /** A context for what the service or its operator does by itself. */
  systemContext(signal?: AbortSignal): ServiceContext;
  /**
   * Starts to work and to answer.
   *
   * @param options.announce tell other commands that they may use this service; default true.
   * @throws ConfigError, e.g. when the port is in use; everything is closed then.
   */
  listen(options?: { announce?: boolean }): Promise<{ url: string; port: number }>;
  /** Stops as gently as `shutdownSeconds` allows; a second call does nothing. */
  close(): Promise<void>;
}

/**
 * The composition root: mechanisms, features and edges, in the order of their ranks. Together with `mechanisms.ts` and
 * `services.ts` the only place that knows which adapter is in use.
 *
 * @throws ConfigError for what an operator has to mend.
 */
export async function createApp(config: Config, log: Log): Promise<App> {
  try {
    return await build(config, log);
  } catch (error) {
    throw explainStartup(error, config);
  }
}

async function build(config: Config, log: Log): Promise<App> {
  await using stack = new AsyncDisposableStack();
  const mechanisms = await openMechanisms(config, log, stack);
  const { fork, links, storage, spool, queue, lock } = mechanisms;
  const { services, handlers, systemContext, onSessionEnded } = createFeatures(mechanisms);
  const { auth, renditions, masks, health, cleanup } = services;

  const server = createHttpServer({
    config,
    log,
    schema,
    spool,
    health,
    authenticate: auth.authenticate,
    contextFor: (facts) => ({ ...facts, em: fork(), services }),
    uploadSlots: createSlots({ max: config.maxConcurrentUploadsPerSession }),
    files: { links, storage, source: createFileSource({ fork, renditions, masks }) },
    pages: PAGES,
    tabs: GRAPHIQL_TABS,
    onSessionEnded,
    endedSessions: auth.endedSessions,
  });

  const { adminUsername, adminPassword } = config;
  if (adminUsername !== undefined && adminPassword !== undefined) {
    await auth.users.ensureAdmin(systemContext(), { username: adminUsername, password: adminPassword });
  }

  const teardown = stack.move();
  const app: App = {
    services,
    systemContext,
    async listen({ announce = true } = {}) {
      try {
        // The port first: a start that fails must not have begun on any job.
        const address = await server.listen();
        await reconcile({ fork, queue, log });
        await queue.start(handlers);
        if (announce) await lock.announce({ url: address.url, pid: process.pid });
        cleanup.start();
        return address;
      } catch (error) {
        await app.close();
        throw explainStartup(error, config);
      }
    },
    async close() {
      if (teardown.disposed) return;
      const graceMs = config.shutdownSeconds * 1000;
      // At once, so that nothing new comes in while what runs has its time.
      await Promise.all([cleanup.stop(), server.close(graceMs), queue.close(graceMs)]);
      await teardown.disposeAsync();
    },
  };
  return app;
}
