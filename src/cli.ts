import { BackupError } from './backup/format.ts';
import { addModelCommand } from './cli/add-model.ts';
import { backupCommand } from './cli/backup.ts';
import type { Command, CommandContext } from './cli/command.ts';
import { cleanupCommand } from './cli/cleanup.ts';
import { doctorCommand } from './cli/doctor.ts';
import { CliError, EXIT, reasonOf, UsageError, type Exit } from './cli/exit.ts';
import { columns, exitCodes } from './cli/help.ts';
import { abortOnSignals } from './cli/interrupt.ts';
import { listModelsCommand } from './cli/list-own-models.ts';
import { migrateCommand } from './cli/migrate.ts';
import { restoreBackupCommand } from './cli/restore-backup.ts';
import { restoreCommand } from './cli/restore.ts';
import { serveCommand } from './cli/serve.ts';
import { createTerminal, type Terminal } from './cli/terminal.ts';
import { userCommands } from './cli/user.ts';
import { ConfigError, loadEnvFile, readConfig } from './config.ts';
import { AppError } from './errors.ts';
import packageJson from '../package.json' with { type: 'json' };

/** Every command, by the words it is called with. */
const COMMANDS: Readonly<Record<string, Command>> = {
  restore: restoreCommand,
  serve: serveCommand,
  ...userCommands,
  'models add': addModelCommand,
  'models list': listModelsCommand,
  doctor: doctorCommand,
  cleanup: cleanupCommand,
  migrate: migrateCommand,
  backup: backupCommand,
  'restore-backup': restoreBackupCommand,
};

function overview(prefix = ''): string {
  const rows = Object.entries(COMMANDS).filter(([name]) => name.startsWith(prefix));
  return [
    `Usage: heirloom ${prefix === '' ? 'COMMAND' : `${prefix}COMMAND`} [options]`,
    `Commands:\n${columns(rows.map(([name, { summary }]) => [name, `${summary}.`] as const))}`,
    `heirloom COMMAND --help says more. From a checkout, \`npm run cli --\` stands for \`heirloom\`.`,
    exitCodes(),
  ].join('\n\n');
}

/** The command that the first words name, the longest name first. */
function find(args: readonly string[]): { name: string; command: Command; rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ');
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (command !== undefined) return { name, command, rest: args.slice(words) };
  }
  return undefined;
}

/** What to say, and how to end, for anything thrown. */
function explain(error: unknown): { exit: Exit; message: string } {
  if (error instanceof CliError) return { exit: error.exit, message: error.message };
  if (error instanceof BackupError) return { exit: 'failed', message: error.message };
  if (error instanceof ConfigError) return { exit: 'usage', message: error.message };
  if (error instanceof AppError) return { exit: 'refused', message: error.message };
  const { path } = error as { path?: unknown };
  const where = typeof path === 'string' ? ` with ${path}` : '';
  return { exit: 'failed', message: `Something went wrong${where}: ${reasonOf(error)}.` };
}

async function main(args: readonly string[], terminal: Terminal): Promise<Exit> {
  const [first = ''] = args;
  if (first === '--version' || first === '-v') {
    terminal.out(packageJson.version);
    return 'done';
  }
  const found = find(args);
  if (found === undefined) {
    const group = Object.keys(COMMANDS).some((name) => name.startsWith(`${first} `)) ? `${first} ` : '';
    const asked = args.slice(group === '' ? 0 : 1)[0];
    if (asked === '--help' || asked === '-h' || (first === 'help' && args.length === 1)) {
      terminal.out(overview(group));
      return 'done';
    }
    const problem = asked === undefined ? 'Which command?' : `There is no command ${args.slice(0, 2).join(' ')}.`;
    terminal.note(`${problem}\n\n${overview(group)}`);
    return 'usage';
  }
  const { name, command, rest } = found;
  const end = rest.indexOf('--');
  const options = end < 0 ? rest : rest.slice(0, end);
  if (options.includes('--help') || options.includes('-h')) {
    terminal.out(command.help(name));
    return 'done';
  }
  let signal: AbortSignal | undefined;
  const context: CommandContext = {
    terminal,
    config() {
      loadEnvFile();
      return readConfig();
    },
    interruptible: () => (signal ??= abortOnSignals(process)),
  };
  try {
    return await command.run(rest, context);
  } catch (error) {
    const { exit, message } = explain(error);
    terminal.status(null);
    // The whole help would push the reason off the screen.
    const usage = `${command.help(name).split('\n', 1)[0]}\nheirloom ${name} --help says more.`;
    terminal.note(error instanceof UsageError ? `${message}\n\n${usage}` : message);
    return exit;
  }
}

// Whoever reads our output may have seen enough, as `head` does.
process.stdout.on('error', () => process.exit(EXIT.failed.code));
process.exitCode = EXIT[await main(process.argv.slice(2), createTerminal(process))].code;
