import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { createLog } from '../log.ts';
import { createClient, type Client } from './client.ts';
import { holderOf, type Holder } from './data-folder.ts';
import { GUEST, LOGOUT } from './documents.ts';
import { CliError } from './exit.ts';
import type { Terminal } from './terminal.ts';

const POLL_MS = 200;
/** A goodbye must not hold anybody up. */
const GOODBYE_MS = 5000;

export interface Connection extends AsyncDisposable {
  readonly client: Client;
}

export interface ConnectOptions {
  /** A service to use; by default the one that has the data folder, or one in this process. */
  server: string | undefined;
  /** Signs in with this token; by default as a guest, who goes with all photos in the end. */
  token: string | undefined;
  /** Show the log of a service in this process. */
  verbose: boolean;
  config(): Config;
  terminal: Terminal;
  signal: AbortSignal;
}

/** The configuration of a service for this process alone, which lives as long as one command. */
function forOneCommand(config: Config): Config {
  const { publicUrl: _, ...rest } = config;
  return {
    ...(rest as Config),
    host: '127.0.0.1',
    port: 0,
    trustedHosts: [],
    graphiql: false,
    shutdownSeconds: 2,
    allowGuests: true,
    uploadsPerHour: 0,
    guestRestorationsPerMinute: 0,
  };
}

/** PUBLIC_URL may lead around the world, or nowhere yet; on this machine the service is next door. */
function localLinks(url: string): (link: string) => string {
  return (link) => {
    const { pathname, search } = new URL(link);
    const at = pathname.indexOf('/files/');
    return at < 0 ? link : `${url}${pathname.slice(at)}${search}`;
  };
}

/** Waits for a command that has the data folder; a service that has it is used instead. */
async function holderToUse(dataDir: string, { terminal, signal }: ConnectOptions): Promise<Holder> {
  let holder = await holderOf(dataDir);
  if (holder.kind === 'process') terminal.note(`Waiting for another command to finish with ${dataDir} …`);
  while (holder.kind === 'process') {
    await sleep(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    holder = await holderOf(dataDir);
  }
  return holder;
}

async function localService(options: ConnectOptions, stack: AsyncDisposableStack): Promise<string> {
  const config = options.config();
  const holder = await holderToUse(config.dataDir, options);
  if (holder.kind === 'service') {
    options.terminal.note(`Using the service at ${holder.owner.url}.`);
    return holder.owner.url;
  }
  options.terminal.status('Starting …');
  const { createApp } = await import('../app.ts');
  const log = createLog(options.verbose ? 'info' : 'silent', process.stderr);
  const app = stack.adopt(await createApp(forOneCommand(config), log), (open) => open.close());
  // Nobody else may count on a service that ends with this command.
  const { url } = await app.listen({ announce: false });
  return url;
}

async function startGuestSession(url: string, signal: AbortSignal): Promise<string> {
  const client = createClient({ url });
  try {
    return (await client.execute(GUEST, {}, signal)).startGuestSession.token;
  } finally {
    await client.close();
  }
}

/**
 * Signs in to the service that was asked for, to the one that has the data folder, or to one started here for as long
 * as the connection is open. A guest leaves nothing behind.
 *
 * @throws ConfigError, AppError, CliError
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  await using stack = new AsyncDisposableStack();
  const { server, signal } = options;
  const url = server ?? (await localService(options, stack));
  signal.throwIfAborted();
  const token = options.token ?? (await startGuestSession(url, signal));
  options.terminal.status(null);
  const client = createClient({ url, token, ...(server === undefined ? { localize: localLinks(url) } : {}) });
  stack.defer(() => client.close());
  if (options.token === undefined) {
    stack.defer(async () => {
      await client.execute(LOGOUT, {}, AbortSignal.timeout(GOODBYE_MS)).catch((error: unknown) => {
        const { message } = error as Error;
        options.terminal.note(`The guest session could not be ended; the service does it within a day. ${message}`);
      });
    });
  }
  const open = stack.move();
  return { client, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** The address of a service, checked. @throws CliError (usage) */
export function serverAddress(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CliError(`--server is ${text}: it must be an address such as http://127.0.0.1:4000.`, 'usage');
  }
  return `${url.origin}${url.pathname}`;
}
