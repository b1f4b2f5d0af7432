import { createLog } from '../log.ts';
import { defineCommand } from './command.ts';
import { lockOrExplain } from './data-folder.ts';

export const migrateCommand = defineCommand({
  summary: 'Bring the database up to date',
  description: [
    'Brings the database to the form this version needs, after laying a copy beside it. A service does the same when it starts. The data folder must not be in use.',
  ],
  options: {},
  async run(_input, { config, terminal }) {
    const { dataDir, databasePath } = config();
    const [{ ENTITIES }, { migrate, openDatabase }] = await Promise.all([
      import('../entities.ts'),
      import('../db/orm.ts'),
    ]);
    await using stack = new AsyncDisposableStack();
    stack.adopt(await lockOrExplain(dataDir), (lock) => lock.release());
    const database = await openDatabase({ path: databasePath, entities: ENTITIES });
    stack.defer(() => database.close());
    const pending = await database.orm.migrator.getPending();
    await migrate(database, databasePath, createLog('error', process.stderr));
    terminal.out(
      pending.length === 0
        ? `${databasePath} is up to date.`
        : `Brought ${databasePath} up to date: ${pending.map(({ name }) => name).join(', ')}.`,
    );
  },
});
