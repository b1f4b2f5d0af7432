import { chmod, mkdir, mkdtemp, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../src/db/ids.ts';
import { readConfig } from '../src/config.ts';
import { createApp } from '../src/app.ts';
import { createLog } from '../src/log.ts';
import { appForTest, RESTORE, startApp, UPLOAD } from './helpers/app.ts';
import { idle, jpeg, namedFiles, sql, storedFiles, until } from './helpers/service.ts';

async function dataFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-ops-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('health', () => {
  it('says which part does not work, and that it works again', async () => {
    const app = await appForTest();
    const ready = async () => {
      const response = await fetch(`${app.url}/health/ready`);
      return [response.status, await response.json()];
    };
    const fine = { database: true, storage: true, queue: true };
    expect(await ready()).toEqual([200, { ok: true, checks: fine }]);
    const HEALTH = '{ health { ok database storage queue waiting running problems missingFiles version startedAt } }';
    expect((await app.ok(HEALTH)).health).toMatchObject({
      ok: true,
      ...fine,
      waiting: 0,
      running: 0,
      problems: [],
      missingFiles: 0,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });

    // Taken away rather than made read-only: the tests may run as root, who may write anywhere.
    await rename(join(app.dataDir, 'tmp'), join(app.dataDir, 'elsewhere'));
    // An answer holds for a second.
    await until(async () => (await ready())[0] === 503, 1500);
    const problems = { storage: 'It is no longer there.' };
    expect(await ready()).toEqual([503, { ok: false, checks: { ...fine, storage: false }, problems }]);
    expect((await app.ok(HEALTH)).health).toMatchObject({
      ok: false,
      storage: false,
      problems: ['storage: It is no longer there.'],
    });
    expect((await fetch(`${app.url}/health/live`)).status).toBe(200);
    await rename(join(app.dataDir, 'elsewhere'), join(app.dataDir, 'tmp'));
    await until(async () => (await ready())[0] === 200, 1500);
    expect(await readdir(join(app.dataDir, 'tmp'))).toEqual([]);
  });

  it('asks the disk and the database once a second, however often it is asked', async () => {
    const app = await appForTest();
    const { health } = app.app.services;
    const answers = await Promise.all(Array.from({ length: 200 }, () => health.ready()));
    expect(new Set(answers).size).toBe(1);
    expect(await health.ready()).toBe(answers[0]);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect(await health.ready()).not.toBe(answers[0]);
  });

  it('counts what waits and runs', async () => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1', SHUTDOWN_GRACE_SECONDS: '0' });
    const token = await app.guest();
    const bytes = await jpeg(700, 1200, 900);
    // Enlarging takes seconds, so that the first still runs when it is asked.
    for (const key of ['a', 'b', 'c']) {
      await app.upload(RESTORE, { file: { bytes } }, { key, modelId: 'upscale-4x' }, token);
    }
    const health = async () => (await app.ok('{ health { ok waiting running } }')).health;
    await expect.poll(health, { timeout: 5000 }).toEqual({ ok: true, waiting: 2, running: 1 });
  });
});

it('configuration tells a client what it may send', async () => {
  const app = await appForTest({
    MAX_UPLOAD_SIZE_MB: '7',
    MAX_IMAGE_MEGAPIXELS: '3',
    MAX_QUEUED_PER_SESSION: '4',
    ALLOWED_MIME_TYPES: 'image/png',
    ALLOW_REGISTRATION: 'false',
  });
  const { configuration } = await app.ok(`{ configuration { maxUploadBytes maxMegapixels maxSide maxOutputMegapixels
    maxConcurrentUploads maxConcurrentRestorations maxQueuedRestorations allowGuests allowRegistration defaultModel
    mimeTypes outputFormats } }`);
  expect(configuration).toEqual({
    maxUploadBytes: 7_000_000,
    maxMegapixels: 3,
    maxSide: 16_384,
    maxOutputMegapixels: 100,
    maxConcurrentUploads: 3,
    maxConcurrentRestorations: 3,
    maxQueuedRestorations: 4,
    allowGuests: true,
    allowRegistration: false,
    defaultModel: 'auto',
    mimeTypes: ['image/png'],
    outputFormats: ['ORIGINAL', 'JPEG', 'PNG', 'WEBP'],
  });
  const token = await app.guest();
  const refused = await app.upload(UPLOAD, { file: { bytes: await jpeg(701) } }, {}, token);
  expect(refused.errors[0]?.extensions.code).toBe('UNSUPPORTED_IMAGE');
});

describe('C3, C14: what a crash leaves between files and rows', () => {
  it('files without a row go at the start, rows without a file are logged, everything else stays', async () => {
    const dataDir = await dataFolder();
    const first = await startApp({ DATA_DIR: dataDir });
    const token = await first.guest();
    const { data } = await first.upload(RESTORE, { file: { bytes: await jpeg(710) } }, {}, token);
    await first.ended(data.restorePhoto.restoration.id, token);
    await idle(first);
    const kept = await namedFiles(first);
    await first.close();

    const session = dirname(kept[0]!);
    const [photoKey] = kept.filter((key) => key.startsWith('uploads/') && key.endsWith('.jpg'));
    const orphans = [
      `uploads/${newId()}/${newId()}_photo.jpg`,
      `${session}/${newId()}_photo.jpg`,
      // The id of a photo that is there, under a name that no row knows.
      photoKey!.replace('_photo.jpg', '_other.jpg'),
      photoKey!.replace('_photo.jpg', '_photo.original.webp'),
      `processed/account/${newId()}_photo.png`,
      `tmp/${newId()}.webp`,
      `tmp/${newId()}.part`,
    ];
    const foreign = ['uploads/README.txt', 'processed/holiday/photo.jpg'];
    for (const key of [...orphans, ...foreign]) {
      await mkdir(dirname(join(dataDir, key)), { recursive: true });
      await writeFile(join(dataDir, key), 'left behind');
      // After the database was made, and before the next process.
      await utimes(join(dataDir, key), new Date(Date.now() - 200), new Date(Date.now() - 200));
    }
    const lost = kept.find((key) => key.endsWith('.large.webp'))!;
    await rm(join(dataDir, lost));

    const lines: string[] = [];
    const second = await startApp({ DATA_DIR: dataDir, LOG_LEVEL: 'warn' }, lines);
    onTestFinished(() => second.close());
    const expected = [...kept.filter((key) => key !== lost), ...foreign].toSorted();
    await until(async () => (await storedFiles(dataDir)).length <= expected.length, 5000);
    expect(await storedFiles(dataDir)).toEqual(expected);
    await until(() => lines.some((line) => line.includes('a file is missing')));
    expect(lines.filter((line) => line.includes('a file is missing'))).toHaveLength(1);
    expect(lines.find((line) => line.includes('a file is missing'))).toContain(lost);
    expect(lines.filter((line) => line.includes('belongs to nothing'))).toHaveLength(5);
    const next = await second.upload(RESTORE, { file: { bytes: await jpeg(713) } }, {}, token);
    expect((await second.ended(next.data.restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
  });

  it('what is younger than this process is left to whoever is still at it', async () => {
    const app = await appForTest();
    const session = newId();
    const fresh = `uploads/${session}/${newId()}_photo.jpg`;
    await mkdir(join(app.dataDir, 'uploads', session), { recursive: true });
    await writeFile(join(app.dataDir, fresh), 'on its way');
    await writeFile(join(app.dataDir, 'tmp/x.part'), 'on its way');
    const done = await app.app.services.cleanup.run();
    expect(done).toMatchObject({ orphanFiles: 0, temporaryFiles: 0, foreignFiles: 0 });
    expect(await storedFiles(app.dataDir)).toEqual(['tmp/x.part', fresh].toSorted());
  });

  it('a restoration that has lost its job gets it back', async () => {
    const dataDir = await dataFolder();
    const first = await startApp({ DATA_DIR: dataDir });
    const token = await first.guest();
    const ids: string[] = [];
    for (const seed of [711, 712]) {
      const { data } = await first.upload(RESTORE, { file: { bytes: await jpeg(seed) } }, {}, token);
      ids.push(data.restorePhoto.restoration.id);
      await first.ended(ids.at(-1)!, token);
    }
    await idle(first);
    const local = ids.map((id) => Buffer.from(id, 'base64').toString().split(':')[1]);
    for (const [index, status] of ['RUNNING', 'QUEUED'].entries()) {
      const back = 'update restoration set status = ?, finished_at = null, storage_key = null where id = ?';
      await sql(first, back, [status, local[index]]);
      await sql(first, 'delete from rendition where owner_id = ?', [local[index]]);
    }
    await rm(join(dataDir, 'processed'), { recursive: true });
    await first.close();
    const second = await startApp({ DATA_DIR: dataDir });
    onTestFinished(() => second.close());
    for (const id of ids) expect(await second.ended(id, token)).toMatchObject({ status: 'SUCCEEDED', attempts: 2 });
    await idle(second);
    expect(await storedFiles(dataDir)).toEqual(await namedFiles(second));
  });
});

describe('clean-up', () => {
  it('ends guests that nobody uses any more with all their files, and leaves the photos of accounts', async () => {
    const app = await appForTest({ SESSION_CLEANUP_HOURS: '1' });
    const register = 'mutation { register(input: { username: "ida", password: "correct horse battery" }) { token } }';
    const account = (await app.ok(register, {}, await app.guest())).register.token;
    const [idleGuest, busyGuest] = [await app.guest(), await app.guest()];
    for (const [index, token] of [account, idleGuest, busyGuest].entries()) {
      const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(720 + index) } }, {}, token);
      await app.ended(data.restorePhoto.restoration.id, token);
    }
    await idle(app);
    const session = (token: string) =>
      JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sid as string;
    const longAgo = Date.now() - 3_601_000;
    for (const token of [account, idleGuest]) {
      await sql(app, 'update session set last_accessed_at = ? where id = ?', [longAgo, session(token)]);
    }
    expect(await app.app.services.cleanup.run()).toMatchObject({ guests: 1, sessions: 1, failed: 0, orphanFiles: 0 });
    expect(await sql(app, 'select id from photo')).toHaveLength(2);
    expect(await sql(app, 'select id from photo where session_id is null')).toHaveLength(1);
    expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
    for (const token of [account, idleGuest]) {
      expect((await app.request('{ viewer { user { id } } }', {}, token)).errors[0]?.extensions.code).toBe(
        'UNAUTHENTICATED',
      );
    }
    const login = 'mutation { login(input: { username: "ida", password: "correct horse battery" }) { token } }';
    const { viewer } = await app.ok('{ viewer { history { totalCount } } }', {}, (await app.ok(login)).login.token);
    expect(viewer.history.totalCount).toBe(1);
  });
});

describe('C44: the log', () => {
  it('is one JSON object a line, bears request and restoration ids, and holds no secret', async () => {
    const lines: string[] = [];
    const app = await appForTest({ LOG_LEVEL: 'trace' }, lines);
    const password = 'canary-password-1931';
    const register = 'mutation ($p: String!) { register(input: { username: "canary", password: $p }) { token } }';
    const token = (await app.ok(register, { p: password }, await app.guest())).register.token;
    // A raw escape code is no header at all; in the encoded form of RFC 5987 it arrives.
    const raw = await app.upload(RESTORE, { file: { bytes: await jpeg(729), name: '\u001B[31mred.jpg' } }, {}, token);
    expect(raw.errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    const name = 'evil\u001B[31m\u2028name"}\n{"level":60}.jpg';
    const answer = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=XX', authorization: `Bearer ${token}` },
      body: Buffer.concat([
        ...[
          ['operations', JSON.stringify({ query: RESTORE, variables: { file: null } })],
          ['map', '{"0":["variables.file"]}'],
        ].map(([key, value]) =>
          Buffer.from(`--XX\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`),
        ),
        Buffer.from(
          `--XX\r\nContent-Disposition: form-data; name="0"; filename*=UTF-8''${encodeURIComponent(name)}\r\nContent-Type: image/jpeg\r\n\r\n`,
        ),
        await jpeg(730),
        Buffer.from('\r\n--XX--\r\n'),
      ]),
    });
    const { data } = (await answer.json()) as any;
    const result = await app.ended(data.restorePhoto.restoration.id, token);
    expect((await fetch(result.url)).status).toBe(200);
    expect((await fetch(`${result.url}&download=1`)).status).toBe(403);
    await app.request(`query Evil { viewer { photos(after: "\u001B[0m") { totalCount } } }`, {}, token);
    // An original that has gone makes a failure that is logged.
    const { photo } = (await app.upload(UPLOAD, { file: { bytes: await jpeg(731) } }, {}, token)).data.uploadPhoto;
    await idle(app);
    const [row] = await sql<{ key: string }>(app, 'select storage_key as key from photo where sha256 = ?', [
      photo.sha256,
    ]);
    await rm(join(app.dataDir, row!.key));
    const BY_ID = 'mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }';
    const failing = (await app.ok(BY_ID, { id: photo.id }, token)).restorePhoto.restoration.id;
    expect((await app.ended(failing, token)).status).toBe('FAILED');

    const headers = {
      'content-type': 'application/json',
      'x-request-id': 'trace-me.42',
      authorization: `Bearer ${token}`,
    };
    const body = JSON.stringify({ query: '{ viewer { user { id } } }' });
    const known = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
    expect(known.headers.get('x-request-id')).toBe('trace-me.42');
    const bad = await fetch(`${app.url}/health/live`, { headers: { 'x-request-id': 'x'.repeat(500) } });
    expect(bad.headers.get('x-request-id')!.length).toBeLessThan(200);
    expect(bad.headers.get('x-request-id')).not.toContain('xxx');

    await until(() => lines.some((line) => line.includes('trace-me.42')));
    const parsed = lines.map((line) => {
      expect(line.endsWith('\n')).toBe(true);
      for (const unwanted of ['\n', '\r', '\u001B', '\u2028']) expect(line.trimEnd()).not.toContain(unwanted);
      return JSON.parse(line) as Record<string, unknown>;
    });
    expect(parsed.filter(({ level }) => level === 60)).toEqual([]);
    const local = Buffer.from(failing, 'base64').toString().split(':')[1];
    expect(parsed.some(({ restorationId }) => restorationId === local)).toBe(true);
    const all = lines.join('');
    const signature = /[?&]s=([\w-]+)/.exec(result.url)![1]!;
    for (const secret of [token, token.split('.')[2]!, password, signature]) expect(all).not.toContain(secret);
  });
});

it('a configuration that makes no sense ends with what to do about it', async () => {
  const dataDir = await dataFolder();
  const start = async (env: Record<string, string>) =>
    createApp(readConfig({ DATA_DIR: dataDir, ...env }), createLog('silent'));
  await expect(start({ DEFAULT_MODEL: 'nope' })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('DEFAULT_MODEL is nope: there is no such model; there are auto'),
  });
  await expect(start({ MODELS_CONFIG: '[{"id":"x"}]' })).rejects.toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining('MODELS_CONFIG: x: name'),
  });
  // Each refusal has let go of the folder.
  await chmod(dataDir, 0o700);
  const app = await start({ PORT: '0' });
  await app.close();
});
