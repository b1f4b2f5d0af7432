import type { User } from '../auth/entity.ts';
import { createLog } from '../log.ts';
import { defineCommand, type Command, type CommandContext } from './command.ts';
import { holderOf, withApp } from './data-folder.ts';
import { flag } from './options.ts';
import type { Operator } from './operator.ts';
import { readPassword } from './password.ts';

const NAME = { usage: 'NAME', min: 1, max: 1 };
const PASSWORD = {
  'password-stdin': flag('Take the password from the first line of standard input instead of asking for it.'),
};
const ALSO_WHILE_RUNNING = 'A service may be running; it knows after five seconds at most.';

const errorLog = () => createLog('error', process.stderr);

async function asOperator<T>(context: CommandContext, work: (operator: Operator) => Promise<T>): Promise<T> {
  const config = context.config();
  const { openOperator } = await import('./operator.ts');
  await using operator = await openOperator(config, errorLog(), context.interruptible());
  return await work(operator);
}

/** A command that does one thing to one user and says what it did. */
function onUser(
  summary: string,
  description: string,
  act: (operator: Operator, username: string) => Promise<User>,
  done: string,
): Command {
  return defineCommand({
    summary,
    description: [`${description} ${ALSO_WHILE_RUNNING}`],
    operands: NAME,
    options: {},
    async run({ operands: [name = ''] }, context) {
      const user = await asOperator(context, (operator) => act(operator, name));
      context.terminal.out(`${user.username} ${done}`);
    },
  });
}

const add = defineCommand({
  summary: 'Create an account',
  description: [`Creates an account. ${ALSO_WHILE_RUNNING}`],
  operands: NAME,
  options: { admin: flag('Make an administrator of the user.'), ...PASSWORD },
  async run({ values, operands: [name = ''] }, context) {
    const password = await readPassword(context.terminal, name, values['password-stdin']);
    const role = values.admin ? 'ADMIN' : 'USER';
    const user = await asOperator(context, ({ users, ctx }) => users.add(ctx, { username: name, password, role }));
    context.terminal.out(`Created ${values.admin ? 'the administrator' : 'the user'} ${user.username}.`);
  },
});

const list = defineCommand({
  summary: 'List the accounts',
  description: [
    'Lists the accounts by name: role, day of creation, and whether they are disabled. Guests are not listed.',
  ],
  options: {},
  async run(_input, context) {
    const users = await asOperator(context, (operator) => operator.users.list(operator.ctx));
    const width = Math.max(0, ...users.map(({ username }) => username?.length ?? 0));
    for (const { username, role, createdAt, disabledAt } of users) {
      const state = disabledAt === null ? '' : '  disabled';
      const day = createdAt.toISOString().slice(0, 10);
      context.terminal.out(`${(username ?? '').padEnd(width)}  ${role.toLowerCase().padEnd(5)}  ${day}${state}`);
    }
    if (users.length === 0) context.terminal.note('There are no accounts yet: heirloom user add NAME makes one.');
  },
});

const setPassword = defineCommand({
  summary: 'Set a new password',
  description: [`Sets a new password and ends all sessions of the user. ${ALSO_WHILE_RUNNING}`],
  operands: NAME,
  options: PASSWORD,
  async run({ values, operands: [name = ''] }, context) {
    const password = await readPassword(context.terminal, name, values['password-stdin']);
    await asOperator(context, ({ users, ctx }) => users.setPassword(ctx, { username: name, password }));
    context.terminal.out(`${name} has a new password, and is signed out everywhere.`);
  },
});

const remove = defineCommand({
  summary: 'Remove an account with all its photos',
  description: [
    'Removes an account with all its photos, restorations and files. There is no way back. While a service is running, the user is locked out at once, and the service erases the photos at its next clean-up.',
  ],
  operands: NAME,
  options: {},
  async run({ operands: [name = ''] }, context) {
    const config = context.config();
    const holder = await holderOf(config.dataDir);
    if (holder.kind === 'nobody') {
      await withApp(config, errorLog(), (app) =>
        app.services.auth.users.remove(app.systemContext(context.interruptible()), { username: name }),
      );
      context.terminal.out(`Removed ${name} with all photos.`);
      return;
    }
    const { FilesInUse } = await import('./operator.ts');
    await asOperator(context, ({ users, ctx }) => users.remove(ctx, { username: name })).catch((error: unknown) => {
      if (!(error instanceof FilesInUse)) throw error;
    });
    const every = config.sessionCleanupIntervalHours;
    const when = every > 0 ? `within ${every} hours` : 'when it starts the next time';
    const eraser = holder.kind === 'service' ? 'The running service' : 'The next clean-up';
    context.terminal.out(`${name} is locked out. ${eraser} erases the photos ${when}.`);
  },
});

/** `user …`: accounts. */
export const userCommands: Readonly<Record<string, Command>> = {
  'user add': add,
  'user list': list,
  'user set-password': setPassword,
  'user disable': onUser(
    'Keep a user out, photos kept',
    'Ends all sessions of a user and refuses new ones; the photos are kept.',
    ({ users, ctx }, username) => users.disable(ctx, { username }),
    'is disabled, and signed out everywhere.',
  ),
  'user enable': onUser(
    'Let a disabled user in again',
    'Lets a disabled user sign in again.',
    ({ users, ctx }, username) => users.enable(ctx, { username }),
    'can sign in again.',
  ),
  'user remove': remove,
};
