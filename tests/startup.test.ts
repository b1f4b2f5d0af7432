import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../src/config.ts';
import { RESTORE, startApp } from './helpers/app.ts';
import { photoBytes } from './helpers/photos.ts';
import { startProcess } from './helpers/process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-startup-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a start that fails', () => {
  it('says that the port is in use, and costs waiting jobs nothing', async () => {
    const first = await startApp({ DATA_DIR: folder, SHUTDOWN_GRACE_SECONDS: '0' });
    const token = await first.guest();
    const file = { bytes: await photoBytes('coffee.png') };
    const { data } = await first.upload(RESTORE, { file }, { options: { upscale: 4 } }, token);
    await first.close();

    const blocker = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => blocker.once('listening', resolve));
    const PORT = String((blocker.address() as AddressInfo).port);
    for (let start = 0; start < 4; start++) {
      await expect(startApp({ DATA_DIR: folder, PORT })).rejects.toThrow(
        `PORT ${PORT} is in use: stop what listens there`,
      );
    }
    await new Promise((resolve) => blocker.close(resolve));

    const again = await startApp({ DATA_DIR: folder });
    expect(await again.ended(data.restorePhoto.restoration.id, token)).toMatchObject({
      status: 'SUCCEEDED',
      error: null,
    });
    await again.close();
  });

  it.each([
    ['a database that is none', 'heirloom.sqlite', 'is no SQLite database'],
    ['a secret that is too short', 'secret', '32'],
  ])('explains %s', async (_name, file, sentence) => {
    await writeFile(join(folder, file), 'not what it should be');
    const failure = await startApp({ DATA_DIR: folder, JWT_SECRET: '' }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigError);
    expect((failure as Error).message).toContain(sentence);
  });
});

it.skipIf(process.platform !== 'linux')('says so where no folder can be made (/proc, Linux only)', async () => {
  await expect(startApp({ DATA_DIR: '/proc/nope' })).rejects.toThrow('DATA_DIR /proc/nope cannot be made');
});

describe('the data folder', () => {
  it('keeps what is secret from other users of the machine', async () => {
    const app = await startApp({ DATA_DIR: folder, JWT_SECRET: '' });
    await app.guest();
    for (const name of ['secret', 'service.json', 'heirloom.sqlite', 'heirloom.sqlite-wal']) {
      expect([name, ((await stat(join(folder, name))).mode & 0o777).toString(8)]).toEqual([name, '600']);
    }
    await app.close();
  });
});

describe.skipIf(process.platform !== 'linux')(
  'trap 7: the memory of photos goes back to the system (Linux only)',
  () => {
    const environmentOf = async (pid: number | undefined): Promise<string[]> =>
      (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');

    it('in two arenas, in the process that was started, with its options', async () => {
      const { url, child, kill, ended } = await startProcess(folder, { NODE_OPTIONS: '--max-semi-space-size=8' });
      expect(await environmentOf(child.pid)).toEqual(
        expect.arrayContaining(['MALLOC_ARENA_MAX=2', 'NODE_OPTIONS=--max-semi-space-size=8']),
      );
      expect((await fetch(`${url}/health/live`)).status).toBe(200);
      kill('SIGTERM');
      expect(await ended).toBe(0);
    });

    it('or as the operator says', async () => {
      const { child } = await startProcess(folder, { MALLOC_ARENA_MAX: '7' });
      expect(await environmentOf(child.pid)).toContain('MALLOC_ARENA_MAX=7');
    });
  },
);
