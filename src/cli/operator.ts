import { ENTITIES } from '../entities.ts';
import { createEndings } from '../auth/endings.ts';
import { createIdentities } from '../auth/identities.ts';
import { createPasswords } from '../auth/passwords.ts';
import { createUsers } from '../auth/users.ts';
import type { Config } from '../config.ts';
import type { ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { migrate, openDatabase } from '../db/orm.ts';
import { createEvents, type Topics } from '../events/service.ts';
import type { Log } from '../log.ts';
import { createEventBus } from '../pubsub/pubsub.ts';
import { lockOrExplain } from './data-folder.ts';

/** Thrown where files would have to go: only whoever holds the data folder may delete them. */
export class FilesInUse extends Error {}

/** The accounts of a data folder, also while a service works on it. */
export interface Operator extends AsyncDisposable {
  readonly users: ReturnType<typeof createUsers>;
  readonly ctx: ServiceContext;
}

/**
 * Opens the database beside a service that may have it open, too: SQLite lets a second process write, and the service
 * reads its accounts again after five seconds at most. `users.remove` locks the user out and then throws FilesInUse;
 * the next clean-up of the service finishes what it finds in that state.
 *
 * @throws CliError when the database is missing or too old and the data folder is in use.
 */
export async function openOperator(config: Config, log: Log, signal: AbortSignal): Promise<Operator> {
  await using stack = new AsyncDisposableStack();
  const database = stack.adopt(await openDatabase({ path: config.databasePath, entities: ENTITIES }), (open) =>
    open.close(),
  );
  if ((await database.orm.migrator.getPending()).length > 0) {
    const lock = await lockOrExplain(config.dataDir);
    await migrate(database, config.databasePath, log).finally(() => lock.release());
  }
  const fork = database.fork;
  const now = Date.now;
  const events = createEvents({ bus: createEventBus<Topics>(), now });
  const endings = createEndings({
    identities: createIdentities({ fork, now }),
    eraseSessionData: (ctx, sessionId) => events.endSession(ctx.em, sessionId),
    eraseUserData: () => Promise.reject(new FilesInUse()),
    onSessionEnded: () => {},
    now,
  });
  const requestId = newId();
  const open = stack.move();
  return {
    users: createUsers({ endings, passwords: createPasswords(), now }),
    ctx: { em: fork(), actor: { kind: 'system' }, requestId, signal, log: log.child({ requestId }) },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}
