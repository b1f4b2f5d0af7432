import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockDataDir } from '../src/db/lock.ts';
import { restoreCommand } from '../src/cli/restore.ts';
import { createTerminal } from '../src/cli/terminal.ts';
import { runCli, startService, temporaryFolder, type TestService } from './helpers/cli.ts';
import { jpeg, storedFiles, until } from './helpers/service.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const folder = async (): Promise<string> => stack.use(await temporaryFolder()).path;

async function login(service: TestService, username: string, password: string) {
  const { data, errors } = await service.ask(
    'mutation ($input: LoginInput!) { login(input: $input) { token user { role } } }',
    undefined,
    { input: { username, password } },
  );
  return errors === undefined ? data.login : { code: errors[0].extensions.code };
}

describe('user', () => {
  it('adds, lists, gives a new password, disables, enables and removes, all beside a running service', async () => {
    const cwd = await folder();
    const user = (action: string, args: string[] = [], input = '') => runCli(['user', action, ...args], { cwd, input });
    expect(await user('add', ['Early', '--password-stdin'], 'before there was anything\n')).toMatchObject({
      code: 0,
      stdout: 'Created the user early.\n',
      stderr: '',
    });
    const service = stack.use(await startService({ cwd }));

    expect(await user('add', ['Anna', '--admin', '--password-stdin'], 'first password\n')).toMatchObject({
      code: 0,
      stdout: 'Created the administrator anna.\n',
    });
    expect(await login(service, 'early', 'before there was anything')).toMatchObject({ user: { role: 'USER' } });
    const { token } = await login(service, 'anna', 'first password');
    expect(await user('list')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^anna {3}admin {2}\d{4}-\d\d-\d\d\nearly {2}user {3}\d{4}-\d\d-\d\d\n$/),
    });

    expect(await user('set-password', ['anna', '--password-stdin'], 'second password')).toMatchObject({ code: 0 });
    expect(await login(service, 'anna', 'first password')).toEqual({ code: 'UNAUTHENTICATED' });
    expect(await login(service, 'anna', 'second password')).toMatchObject({ user: { role: 'ADMIN' } });
    // The session from before is over within the five seconds that the service may not know.
    await until(async () => (await service.ask('{ viewer { user { id } } }', token)).errors !== undefined, 8000, 250);

    expect(await user('disable', ['anna'])).toMatchObject({ code: 0 });
    expect(await login(service, 'anna', 'second password')).toEqual({ code: 'UNAUTHENTICATED' });
    expect((await user('list')).stdout).toMatch(/^anna .* disabled$/m);
    expect(await user('enable', ['anna'])).toMatchObject({ code: 0 });
    const again = await login(service, 'anna', 'second password');
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(1));
    expect(await runCli(['restore', 'photo.jpg', '--token', again.token], { cwd })).toMatchObject({ code: 0 });

    expect(await user('remove', ['anna'])).toMatchObject({
      code: 0,
      stdout: 'anna is locked out. The running service erases the photos within 6 hours.\n',
    });
    expect(await login(service, 'anna', 'second password')).toEqual({ code: 'UNAUTHENTICATED' });
    expect((await user('list')).stdout).toMatch(/^early/);

    expect(await runCli(['cleanup'], { cwd })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`in use by the service at ${service.url} (process `),
    });
    expect(await runCli(['migrate'], { cwd })).toMatchObject({ code: 1 });
    expect(await service.stop()).toBe(0);
    expect(await storedFiles(join(cwd, 'data'))).not.toEqual([]);
    const cleaned = await runCli(['cleanup'], { cwd });
    expect(cleaned).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 guests removed with all their photos'),
    });
    expect(await storedFiles(join(cwd, 'data'))).toEqual([]);
  });

  it('removes the photos at once while no service runs', async () => {
    const cwd = await folder();
    await runCli(['user', 'add', 'anna', '--password-stdin'], { cwd, input: 'a good password' });
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(2));
    {
      await using service = await startService({ cwd });
      const { token } = await login(service, 'anna', 'a good password');
      expect(await runCli(['restore', 'photo.jpg', '--token', token], { cwd })).toMatchObject({ code: 0 });
    }
    expect(await storedFiles(join(cwd, 'data'))).not.toEqual([]);
    expect(await runCli(['user', 'remove', 'anna'], { cwd })).toMatchObject({
      code: 0,
      stdout: 'Removed anna with all photos.\n',
    });
    expect(await storedFiles(join(cwd, 'data'))).toEqual([]);
    expect(await runCli(['user', 'remove', 'anna'], { cwd })).toMatchObject({
      code: 3,
      stderr: 'There is no user anna.\n',
    });
  });

  it('says what is wrong with a name or a password', async () => {
    const cwd = await folder();
    const add = (input: string, ...args: string[]) => runCli(['user', 'add', ...args], { cwd, input });
    expect(await add('short', 'anna', '--password-stdin')).toMatchObject({
      code: 3,
      stderr: 'A password has 8 to 200 characters.\n',
    });
    expect(await add('long enough', 'a b', '--password-stdin')).toMatchObject({ code: 3 });
    expect(await add('long enough', 'anna', '--password-stdin')).toMatchObject({ code: 0 });
    expect(await add('long enough', 'ANNA', '--password-stdin')).toMatchObject({ code: 3 });
    expect(await add('', 'otto')).toMatchObject({ code: 2, stderr: expect.stringContaining('--password-stdin') });
    expect(await add('', 'otto', '--password-stdin')).toMatchObject({ code: 2 });
  });
});

describe('migrate', () => {
  it('makes the database, then finds it up to date; not while the folder is in use', async () => {
    const cwd = await folder();
    const dataDir = join(cwd, 'data');
    expect((await runCli(['migrate'], { cwd })).stdout).toMatch(/^Brought .*heirloom\.sqlite up to date: \S/);
    expect((await runCli(['migrate'], { cwd })).stdout).toMatch(/^\S+heirloom\.sqlite is up to date\.\n$/);
    const lock = await lockDataDir(dataDir);
    if (!lock.held) throw new Error('nobody else has it');
    expect(await runCli(['migrate'], { cwd })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/in use by another/),
    });
    await lock.release();
  });
});

describe('help', () => {
  const COMMANDS = [
    'restore',
    'serve',
    'cleanup',
    'migrate',
    ...['add', 'list', 'set-password', 'disable', 'enable', 'remove'].map((action) => `user ${action}`),
  ];

  it('lists every command and the exit codes', async () => {
    const { code, stdout } = await runCli(['--help'], { cwd: await folder() });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} {2,}\\S`, 'm'));
    expect(stdout).toMatch(/^ {2}130 {2}stopped by Ctrl-C$/m);
    expect(code).toBe(0);
  });

  it.each(COMMANDS)('explains %s', async (command) => {
    const { code, stdout } = await runCli([...command.split(' '), '--help'], { cwd: await folder() });
    expect(stdout).toMatch(new RegExp(`^Usage: heirloom ${command} \\[options\\]`));
    expect(stdout).toMatch(/^ {2}-h, --help +Show this help\.$/m);
    expect(stdout).toContain('Exit codes:');
    expect(code).toBe(0);
  });

  it.each([
    [[], /^Which command\?\n\nUsage: heirloom COMMAND/],
    [['polish'], /^There is no command polish\.\n\nUsage: heirloom COMMAND/],
    [['user', 'rename'], /^There is no command user rename\.\n\nUsage: heirloom user COMMAND/],
    [['restore', '--polish'], /^Unknown option '--polish'\.\n\nUsage: heirloom restore/],
    [['user', 'add'], /^NAME is missing\.\n\nUsage: heirloom user add/],
  ])('answers %j with 2 and the usage', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args, { cwd: await folder() });
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it.each([
    [['--strength', '2'], /^--strength is 2: it must be a number from 0 to 1\.$/],
    [['--strength', ' '], /^--strength is {2}: it must be a number/],
    [['--output-quality', '9.5'], /^--output-quality is 9\.5: it must be a whole number from 1 to 100\.$/],
    [['--quality', '80'], /^--quality is 80: it must be one of fast, balanced, best\.$/],
    [['--repair', 'maybe'], /^--repair is maybe: it must be one of auto, off, force\.$/],
    [['other.jpg', '--mask', 'mask.png'], /^--mask is for one photo\.$/],
    [['--upscale', '3'], /^--upscale is 3: it must be one of 1, 2, 4\.$/],
    [['--format', 'toString'], /^--format is toString: it must be one of original, jpeg, jpg, png, webp\.$/],
    [['--model'], /^Option '-m, --model <value>' argument missing\.$/],
    [['--model', ''], /^--model is empty\.$/],
    [['--parameter', 'weight'], /^--parameter is weight: it must be NAME=VALUE\.$/],
    [['--parameter', '=1'], /^--parameter is =1: it must be NAME=VALUE\.$/],
    [['--parameter', 'a=1', '--parameter=a=2'], /^--parameter a is given twice\.$/],
    [['--force=yes'], /^Option '-f, --force' does not take an argument\.$/],
    [['-o', 'a.tif'], /^-o is a\.tif: a result ends in \.jpg, \.png or \.webp/],
    [['-o', 'b.jpg', '--format', 'png'], /^-o b\.jpg asks for JPEG, but --format for PNG/],
    [['--server', 'example.org'], /^--server is example\.org: it must be an address/],
    [['--server', 'ftp://example.org'], /^--server is ftp:/],
  ])('takes no %j for restore', async (args, message) => {
    const unused = (): never => {
      throw new Error('it went on');
    };
    const terminal = { ...createTerminal(process), out: unused, note: unused };
    const context = { terminal, config: unused, interruptible: unused };
    const wrong = restoreCommand.run(['photo.jpg', ...args], context);
    await expect(wrong).rejects.toMatchObject({ exit: 'usage', message: expect.stringMatching(message) });
  });
});
