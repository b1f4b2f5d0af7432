import { CliError, UsageError } from './exit.ts';
import type { Terminal } from './terminal.ts';

/**
 * A new password: the first line of standard input where that is asked for, otherwise typed twice without echo.
 *
 * @throws UsageError where there is neither; CliError when the two differ, or on Ctrl-C.
 */
export async function readPassword(terminal: Terminal, username: string, fromInput: boolean): Promise<string> {
  if (fromInput) {
    const password = (await terminal.readInput()).split(/\r?\n/, 1)[0] ?? '';
    if (password === '') throw new UsageError('Standard input holds no password.');
    return password;
  }
  const password = await terminal.askSecret(`New password for ${username}: `);
  if (password === null) {
    throw new UsageError('There is no terminal to ask for the password: send it with --password-stdin.');
  }
  const again = await terminal.askSecret('The same again: ');
  if (again !== password) throw new CliError('The two passwords are not the same. Nothing was changed.');
  return password;
}
