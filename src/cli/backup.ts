import { resolve } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { createLog } from '../log.ts';
import { defineCommand } from './command.ts';
import { amount, listed, showCopying } from './copying.ts';

export const backupCommand = defineCommand({
  summary: 'Copy database and files into a folder, also while the service runs',
  description: [
    'Makes a folder with the database, all photos and results and the generated secret, all as of one moment; a service may go on working meanwhile. The folder is private to this user and appears under its name once it is whole. `restore-backup` puts it back.',
    'Ends with 1 when a file was missing or no longer as it was stored; everything else is in the backup all the same.',
  ],
  operands: { usage: 'FOLDER', min: 1, max: 1 },
  options: {},
  examples: ['heirloom backup /mnt/backups/2026-11-21'],
  async run({ operands: [folder = ''] }, { config, terminal, interruptible }) {
    const settings = config();
    const [{ backUp }, { openStorage }, { secretPath }] = await Promise.all([
      import('../backup/back-up.ts'),
      import('../mechanisms.ts'),
      import('../auth/secret.ts'),
    ]);
    const target = resolve(folder);
    const manifest = await backUp(
      {
        storage: openStorage(settings, createLog('error', process.stderr)),
        databasePath: settings.databasePath,
        secretPath: secretPath(settings.dataDir),
        heirloom: packageJson.version,
        now: Date.now,
      },
      { target, signal: interruptible(), onProgress: showCopying(terminal) },
    );
    terminal.status(null);
    const { photos, restorations, missing, damaged } = manifest;
    terminal.out(`${target}: ${photos} photos, ${restorations} restorations, ${amount(manifest)}`);
    for (const line of listed('missing in the storage', missing)) terminal.note(line);
    for (const line of listed('not as they were stored', damaged)) terminal.note(line);
    return missing.length + damaged.length === 0 ? 'done' : 'failed';
  },
});
