import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDataDir, type DataDirLock, type HeldDataDirLock } from '../src/db/lock.ts';

const CHILD = join(import.meta.dirname, 'fixtures/lock-child.ts');
let folder: string;
const children: ChildProcessByStdio<null, Readable, null>[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-lock-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

async function startChild(dataDir: string) {
  const child = spawn(process.execPath, [CHILD, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

function held(lock: DataDirLock): HeldDataDirLock {
  if (!lock.held) throw new Error('the lock is not held');
  return lock;
}

test('one process holds a data folder; another learns where to reach it', async () => {
  const { child, said } = await startChild(folder);
  expect(said).toBe('held');
  expect(await lockDataDir(folder)).toEqual({ held: false, owner: { url: 'http://127.0.0.1:4000', pid: child.pid } });
});

test('C1: a killed process holds nothing, and what it announced is gone with the next lock', async () => {
  const { child } = await startChild(folder);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = held(await lockDataDir(folder));
  await expect(stat(join(folder, 'service.json'))).rejects.toThrow('ENOENT');
  expect(await lockDataDir(folder)).toEqual({ held: false });
  await lock.release();
});

test('a process that is refused leaves the lock with its holder', async () => {
  const lock = held(await lockDataDir(folder));
  await lock.announce({ url: 'http://127.0.0.1:1', pid: 1 });
  expect((await startChild(folder)).said).toBe('not held');
  expect((await startChild(folder)).said).toBe('not held');
  await lock.release();
  expect((await startChild(folder)).said).toBe('held');
});

test('the announcement can be read by the same user only, and goes with the lock', async () => {
  const lock = held(await lockDataDir(join(folder, 'made', 'on the way')));
  const path = join(folder, 'made', 'on the way', 'service.json');
  await lock.announce({ url: 'http://127.0.0.1:4321', pid: 17 });
  await lock.announce({ url: 'http://127.0.0.1:4322', pid: 17 });
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ url: 'http://127.0.0.1:4322', pid: 17 });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await lock.release();
  await lock.release();
  await expect(stat(path)).rejects.toThrow('ENOENT');
});

test('an announcement that makes no sense is none', async () => {
  const lock = held(await lockDataDir(folder));
  await writeFile(join(folder, 'service.json'), '{"url": 5');
  expect(await lockDataDir(folder)).toEqual({ held: false });
  await lock.release();
});

test('says why a folder cannot be taken', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(lockDataDir(join(folder, 'file'))).rejects.toThrow(/EEXIST|ENOTDIR/);
});
