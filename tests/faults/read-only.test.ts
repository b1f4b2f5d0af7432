import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, RESTORE, UPLOAD } from '../helpers/app.ts';
import { balanced } from '../helpers/books.ts';
import { expectGroundRule } from '../helpers/ground-rule.ts';
import { DidNotStart, startProcess } from '../helpers/process.ts';
import { jpeg, until } from '../helpers/service.ts';

const HISTORY = '{ viewer { history(first: 5) { edges { node { id status url } } } } }';
/** Somebody who owns nothing. */
const NOBODY = { uid: 65_534, gid: 65_534 };

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'heirloom-read-only-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
});

/** Root may write everywhere, so these tests have to be somebody else, and that needs root. */
const mayBeNobody =
  process.getuid?.() === 0 &&
  spawnSync('node_modules/.bin/node', ['src/cli.ts', '--version'], { ...NOBODY, stdio: 'ignore' }).status === 0;

async function refusal(env: Record<string, string> = {}): Promise<string> {
  try {
    await startProcess(dataDir, env, NOBODY);
  } catch (error) {
    if (error instanceof DidNotStart && error.code === 2) return error.message;
    throw error;
  }
  throw new Error('it started');
}

describe.skipIf(!mayBeNobody)('C12: at a start that may not write (needs root, to be somebody else)', () => {
  it('says so of the folder', async () => {
    await chmod(dataDir, 0o555);
    expect(await refusal()).toMatch(/cannot be (written to|opened|changed)/);
  });

  it('says so of the database, and leaves it as it is', async () => {
    await chown(dataDir, NOBODY.uid, NOBODY.gid);
    const first = await startProcess(dataDir, {}, NOBODY);
    first.kill('SIGTERM');
    expect(await first.ended).toBe(0);
    const path = join(dataDir, 'heirloom.sqlite');
    await chown(path, 0, 0);
    await chmod(path, 0o444);
    expect(await refusal()).toContain(`${path} cannot be`);
    await chmod(path, 0o644);
    expect(await refusal()).toContain(`${path} cannot be`);
    await chown(path, NOBODY.uid, NOBODY.gid);
    const again = await startProcess(dataDir, {}, NOBODY);
    expect((await fetch(`${again.url}/health/ready`)).status).toBe(200);
  });
});

function immutable(on: boolean, paths: readonly string[]): void {
  execFileSync('chattr', [on ? '+i' : '-i', ...paths], { stdio: 'ignore' });
}

/** A file that was open for writing when it became immutable cannot be written to any more: like a disk that turns read-only. */
const mayFreeze = await (async () => {
  const probe = await mkdtemp(join(tmpdir(), 'heirloom-freeze-'));
  const file = join(probe, 'file');
  await writeFile(file, '');
  try {
    immutable(true, [file]);
    immutable(false, [file]);
    return true;
  } catch {
    return false;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
})();

describe.skipIf(!mayFreeze)('C12: what turns read-only under a running service (needs root and chattr)', () => {
  it.each([
    ['the database', ['heirloom.sqlite', 'heirloom.sqlite-wal']],
    ['the folders of files', ['tmp', 'uploads', 'processed']],
  ])('%s: writing is STORAGE_UNAVAILABLE, reading goes on, and all is well when it is over', async (_name, names) => {
    const service = await startProcess(dataDir);
    const client = clientOf(service.url);
    const token = await client.guest();
    const { data } = await client.upload(RESTORE, { file: { bytes: await jpeg(1) } }, {}, token);
    const { url } = await client.ended(data.restorePhoto.restoration.id, token);
    await until(async () => (await fetch(`${service.url}/health/ready`)).status === 200);

    const paths = names.map((name) => join(dataDir, name));
    immutable(true, paths);
    try {
      const refused = await client.upload(UPLOAD, { file: { bytes: await jpeg(2) } }, {}, token);
      expect([refused.status, refused.errors[0]?.extensions.code]).toEqual([503, 'STORAGE_UNAVAILABLE']);
      expect(refused.errors[0]?.extensions.retryAfter).toBeGreaterThan(0);
      expect(JSON.stringify(refused.errors)).not.toMatch(/EPERM|SQLITE|heirloom-/);
      const { viewer } = await client.ok(HISTORY, {}, token);
      expect(viewer.history.edges).toHaveLength(1);
      expect((await fetch(url)).status).toBe(200);
      await until(async () => (await fetch(`${service.url}/health/ready`)).status === 503);
    } finally {
      immutable(false, paths);
    }

    await until(async () => (await fetch(`${service.url}/health/ready`)).status === 200);
    const after = await client.upload(RESTORE, { file: { bytes: await jpeg(2) } }, {}, token);
    expect((await client.ended(after.data.restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
    await balanced(dataDir);
    await expectGroundRule({ ...service, dataDir });
  });
});
