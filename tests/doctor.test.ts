import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, UPLOAD } from './helpers/app.ts';
import { folderForTest, runCli, startService } from './helpers/cli.ts';
import { jpeg, storedFiles } from './helpers/service.ts';

let cwd: string;
let dataDir: string;
beforeEach(async () => {
  cwd = await folderForTest();
  dataDir = join(cwd, 'data');
});

const doctor = (args: string[] = [], env: Record<string, string> = {}) => runCli(['doctor', ...args], { cwd, env });

interface Told {
  part: string;
  level: 'ok' | 'warning' | 'problem';
  what: string;
  advice?: string;
}

async function complaints(args: string[] = [], env: Record<string, string> = {}): Promise<Told[]> {
  const { stdout } = await doctor(['--json', ...args], env);
  // How much is free here is not what these tests are about.
  return (JSON.parse(stdout) as Told[]).filter(({ part, level }) => level !== 'ok' && part !== 'space');
}

/** A data folder with one photo, and nobody at work on it. */
async function filled(): Promise<void> {
  await using service = await startService({ cwd });
  const client = clientOf(service.url);
  const token = await client.guest();
  await client.upload(UPLOAD, { file: { bytes: await jpeg(1) } }, {}, token);
}

describe('doctor', () => {
  it('finds nothing wrong with a fresh checkout, and changes nothing', async () => {
    const { code, stdout } = await doctor();
    expect(stdout).toMatch(/^machine\n {2}ok {7}Node 24/);
    for (const part of ['configuration', 'data', 'space', 'clock', 'service']) expect(stdout).toContain(`\n${part}\n`);
    expect(stdout).toContain('nothing runs; PORT 0 is free');
    expect(stdout).toMatch(/\n(Nothing to complain about|1 warning)\.\n$/);
    expect(code).toBe(0);
    expect(await readdir(cwd)).toEqual([]);
  });

  it('asks a running service how it is', async () => {
    await using service = await startService({ cwd });
    const { code, stdout } = await doctor(['--deep']);
    expect(stdout).toContain(`ok       the service at ${service.url} is ready`);
    expect(stdout).toContain('0 photos, 0 restorations, no damage');
    expect(code).toBe(0);
  });

  it('names every wrong variable, and looks no further', async () => {
    const { code, stdout } = await doctor([], { PORT: '70000', JWT_SECRET: 'short' });
    expect(stdout).toContain('problem  PORT is "70000"');
    expect(stdout).toContain('problem  JWT_SECRET');
    expect(stdout).not.toContain('data');
    expect(stdout).toMatch(/\n2 problems\.\n$/);
    expect(code).toBe(1);
  });

  it('doubts what is allowed and rarely meant', async () => {
    await writeFile(join(cwd, '.env'), 'MAX_UPLOAD_SIZE=1000000\nMAX_UPLOADS=3\n');
    const told = await complaints([], {
      HOST: '0.0.0.0',
      PUBLIC_URL: 'http://photos.example.org',
      TRUST_PROXY: 'true',
    });
    expect(told.map(({ level, what }) => `${level}: ${what}`)).toEqual([
      'warning: .env sets MAX_UPLOADS, which Heirloom does not know',
      'warning: HOST 0.0.0.0 lets others in, with the settings of development',
      'warning: PUBLIC_URL http://photos.example.org sends tokens and photos in the clear',
      'warning: TRUST_PROXY is on while HOST 0.0.0.0 can be reached without the proxy',
    ]);
  });

  it('sees a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(await complaints([], { PORT: String(port) })).toMatchObject([
      { part: 'service', level: 'problem', what: expect.stringContaining(`PORT ${port} is in use`) },
    ]);
  });

  it('with --deep: sees files that are missing or not as they were stored', async () => {
    await filled();
    const [file = ''] = (await storedFiles(dataDir)).filter((key) => key.startsWith('uploads/'));
    await appendFile(join(dataDir, file), 'rot');
    expect(await complaints()).toEqual([]);
    expect(await complaints(['--deep'])).toMatchObject([{ level: 'problem', what: `${file} is not as it was stored` }]);
    await rm(join(dataDir, file));
    expect(await complaints(['--deep'])).toMatchObject([{ level: 'problem', what: `${file} is missing` }]);
  });

  it('sees a damaged database, one of a newer version, and one that is none', async () => {
    await filled();
    const path = join(dataDir, 'heirloom.sqlite');
    const database = new Database(path);
    database.exec(`insert into mikro_orm_migrations (name) values ('9999-the-future')`);
    database.pragma('wal_checkpoint(truncate)');
    database.close();
    expect(await complaints()).toMatchObject([
      { level: 'problem', what: expect.stringContaining('of a newer Heirloom') },
    ]);

    const bytes = await readFile(path);
    await writeFile(path, Buffer.from(bytes).fill(0xff, bytes.length - 3 * 4096));
    expect(await complaints(['--deep'])).toMatchObject([
      { level: 'problem', what: expect.stringContaining('is damaged') },
    ]);

    await writeFile(path, 'no database at all'.repeat(1000));
    expect(await complaints()).toMatchObject([
      { part: 'data', level: 'problem', what: expect.stringContaining('is no database of Heirloom') },
    ]);
  });

  it('sees a folder that others can read, a clock that was set back, and a disk without room', async () => {
    await filled();
    await chmod(dataDir, 0o755);
    const database = new Database(join(dataDir, 'heirloom.sqlite'));
    database.prepare('update photo set created_at = ?').run(Date.now() + 86_400_000);
    database.close();
    expect(await complaints()).toMatchObject([
      { part: 'data', level: 'warning', advice: `chmod 700 ${dataDir}` },
      { part: 'clock', level: 'warning', what: expect.stringContaining('which is to come') },
    ]);

    // A file system without any room that every Linux has.
    const { code, stdout } = await doctor([], { STORAGE_PATH: '/proc' });
    expect(stdout).toContain('problem  0 bytes of 0 bytes free at /proc');
    expect(code).toBe(1);
  });

  it('sees a folder that cannot be used', async () => {
    await mkdir(cwd, { recursive: true });
    await writeFile(join(cwd, 'file'), '');
    const told = await complaints([], { DATA_DIR: join(cwd, 'file') });
    expect(told.map(({ part, level }) => `${part} ${level}`)).toContain('service problem');
  });
});
