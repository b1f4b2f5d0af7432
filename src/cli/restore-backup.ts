import { join, resolve } from 'node:path';
import { createLog } from '../log.ts';
import { defineCommand } from './command.ts';
import { amount, listed, showCopying } from './copying.ts';
import { lockOrExplain } from './data-folder.ts';

export const restoreBackupCommand = defineCommand({
  summary: 'Put a backup into an empty data folder',
  description: [
    'Copies what `backup` has made into DATA_DIR (and STORAGE_PATH and DATABASE_URL where they are set), checking each file on the way. A data folder with a database in it is refused; a generated secret gives way to that of the backup. Restorations that were waiting or running at the time of the backup go on when the service starts.',
    'Ends with 1 when files of the backup were damaged or missing; everything else is back all the same.',
  ],
  operands: { usage: 'FOLDER', min: 1, max: 1 },
  options: {},
  examples: ['heirloom restore-backup /mnt/backups/2026-11-21'],
  async run({ operands: [folder = ''] }, { config, terminal, interruptible }) {
    const settings = config();
    const [{ putBack }, { openStorage }, { secretPath }, { MIGRATIONS }] = await Promise.all([
      import('../backup/put-back.ts'),
      import('../mechanisms.ts'),
      import('../auth/secret.ts'),
      import('../db/migrations/index.ts'),
    ]);
    const signal = interruptible();
    const lock = await lockOrExplain(settings.dataDir);
    try {
      const done = await putBack(
        {
          storage: openStorage(settings, createLog('error', process.stderr)),
          databasePath: settings.databasePath,
          secretPath: secretPath(settings.dataDir),
          scratchDir: join(settings.storagePath, 'tmp'),
          migrations: MIGRATIONS.map(({ name }) => name),
        },
        { source: resolve(folder), signal, onProgress: showCopying(terminal) },
      );
      terminal.status(null);
      const { createdAt, photos, restorations, missing } = done.manifest;
      terminal.out(
        `${settings.dataDir}: as of ${createdAt}, ${photos} photos, ${restorations} restorations, ${amount(done)}`,
      );
      for (const line of listed('were missing when the backup was made', missing)) terminal.note(line);
      for (const line of listed('of the backup are damaged and were left out', done.damaged)) terminal.note(line);
      return done.damaged.length === 0 ? 'done' : 'failed';
    } finally {
      await lock.release();
    }
  },
});
