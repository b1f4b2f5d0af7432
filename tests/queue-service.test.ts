import { describe, expect, it } from 'vitest';
import { appForTest as appOf, RESTORE, UPLOAD, type TestApp } from './helpers/app.ts';
import { collect, FOLLOW, idle, jpeg, namedFiles, socketClient, sql, storedFiles, until } from './helpers/service.ts';

const BY_ID = `mutation ($id: ID!, $modelId: ID) {
  restorePhoto(input: { photoId: $id, modelId: $modelId }) { restoration { id } } }`;
const TIMES =
  'query ($id: ID!) { restoration(id: $id) { status queuedAt startedAt finishedAt attempts error { code } runs { number error { code } } } }';
const CANCEL = 'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { status } } }';
const DELETE = 'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }';

/** Closed without waiting for what still runs. */
const appForTest = (env: Record<string, string> = {}): Promise<TestApp> =>
  appOf({ SHUTDOWN_GRACE_SECONDS: '0', ...env });

async function uploaded(app: TestApp, token: string, bytes: Uint8Array): Promise<string> {
  const { data, errors } = await app.upload(UPLOAD, { file: { bytes } }, {}, token);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.uploadPhoto.photo.id;
}
const queued = async (app: TestApp, token: string, id: string, modelId = 'auto'): Promise<string> =>
  (await app.ok(BY_ID, { id, modelId }, token)).restorePhoto.restoration.id;
const timesOf = async (app: TestApp, token: string, id: string): Promise<any> =>
  (await app.ok(TIMES, { id }, token)).restoration;
const started = ({ startedAt }: any): number => new Date(startedAt).getTime();
const running = (app: TestApp, token: string, id: string): Promise<unknown> =>
  until(async () => (await timesOf(app, token, id))?.status === 'RUNNING');

/** Nothing is left over: no file without a row, no row without a file, nothing temporary, no job. */
async function expectTidy(app: TestApp): Promise<void> {
  await idle(app);
  await until(async () => (await storedFiles(app.dataDir)).every((file) => !file.startsWith('tmp')), 5000);
  expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
}

describe('whose turn it is', () => {
  it('a session runs no more than it may, and one with a single photo does not wait behind many', async () => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '3', MAX_CONCURRENT_RESTORATIONS_PER_SESSION: '2' });
    const [many, one] = [await app.guest(), await app.guest()];
    const [photo, single] = [
      await uploaded(app, many, await jpeg(400, 360, 280)),
      await uploaded(app, one, await jpeg(401, 360, 280)),
    ];
    await idle(app);
    const ids = await Promise.all(Array.from({ length: 8 }, () => queued(app, many, photo)));
    const late = await queued(app, one, single);
    let most = 0;
    const counting = (async () => {
      for (let left = 1; left > 0;) {
        const rows = await sql<any>(
          app,
          'select status, count(*) as n from restoration where photo_id = ? group by status',
          [Buffer.from(photo, 'base64').toString().split(':')[1]],
        );
        most = Math.max(most, rows.find(({ status }) => status === 'RUNNING')?.n ?? 0);
        left = rows.filter(({ status }) => status !== 'SUCCEEDED').length;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const ends = await Promise.all([...ids, late].map((id) => app.ended(id, id === late ? one : many)));
    expect(ends.every(({ status }) => status === 'SUCCEEDED')).toBe(true);
    await counting;
    expect(most).toBe(2);
    const starts = await Promise.all(ids.map(async (id) => started(await timesOf(app, many, id))));
    const lateStart = started(await timesOf(app, one, late));
    expect(starts.filter((at) => at <= lateStart).length).toBeLessThanOrEqual(3);
  });

  it('work starts within 50 ms of its submit when nothing else does', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const photo = await uploaded(app, token, await jpeg(402));
    await idle(app);
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      const id = await queued(app, token, photo);
      await app.ended(id, token);
      const { queuedAt, startedAt } = await timesOf(app, token, id);
      waits.push(new Date(startedAt).getTime() - new Date(queuedAt).getTime());
    }
    expect(waits.toSorted((a, b) => a - b)[2]).toBeLessThanOrEqual(50);
  });
});

describe('C8, C43: who has too much', () => {
  it('a full queue is RATE_LIMITED with the time to come back, for that session only', async () => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1', MAX_QUEUED_PER_SESSION: '2' });
    const [token, other] = [await app.guest(), await app.guest()];
    const photo = await uploaded(app, token, await jpeg(403, 900, 700));
    const first = await queued(app, token, photo);
    await running(app, token, first);
    await queued(app, token, photo);
    await queued(app, token, photo);
    const refused = await app.request(BY_ID, { id: photo }, token);
    expect(refused.status).toBe(429);
    const { code, retryAfter } = refused.errors[0]!.extensions;
    expect([code, typeof retryAfter]).toEqual(['RATE_LIMITED', 'number']);
    expect(refused.headers.get('retry-after')).toBe(String(Math.ceil(retryAfter!)));
    await queued(app, other, await uploaded(app, other, await jpeg(404)));
    const { viewer } = await app.ok('{ viewer { history { totalCount } } }', {}, token);
    expect(viewer.history.totalCount).toBe(3);
  });

  it('in production a guest has a budget per address, whatever the session', async () => {
    const app = await appForTest({
      NODE_ENV: 'production',
      JWT_SECRET: 'a secret of more than thirty-two characters',
      TRUSTED_HOSTS: '127.0.0.1',
      RATE_LIMIT_RESTORATIONS_PER_MINUTE: '2',
    });
    const send = async (seed: number) =>
      app.upload(RESTORE, { file: { bytes: await jpeg(seed) } }, {}, await app.guest());
    expect((await send(405)).errors).toEqual([]);
    expect((await send(406)).errors).toEqual([]);
    const third = await send(407);
    expect([third.status, third.errors[0]?.extensions.code]).toEqual([429, 'RATE_LIMITED']);
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(50);
    await expectTidy(app);
    expect(await sql(app, 'select id from photo')).toHaveLength(2);
  });
});

describe('C6: work that takes too long', () => {
  it('is PROVIDER_TIMEOUT after all its tries, and its place is free again', async () => {
    const app = await appForTest({ JOB_TIMEOUT_SECONDS: '1', MAX_ATTEMPTS: '2', MAX_CONCURRENT_RESTORATIONS: '1' });
    const token = await app.guest();
    const big = await queued(app, token, await uploaded(app, token, await jpeg(408, 2400, 1800)));
    const failed = await app.ended(big, token);
    expect(failed).toMatchObject({
      status: 'FAILED',
      attempts: 2,
      error: { code: 'PROVIDER_TIMEOUT', retryable: true },
    });
    expect(failed.runs.map((run: any) => run.error.code)).toEqual(['PROVIDER_TIMEOUT', 'PROVIDER_TIMEOUT']);
    for (const { durationMs } of failed.runs) {
      expect(durationMs).toBeGreaterThanOrEqual(990);
      expect(durationMs).toBeLessThan(4000);
    }
    const small = await queued(app, token, await uploaded(app, token, await jpeg(409)));
    expect((await app.ended(small, token)).status).toBe('SUCCEEDED');
    await expectTidy(app);
  });
});

describe('C12: a fault of our own while a try is written down', () => {
  it('neither loses the restoration nor runs it twice', async () => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1' });
    const token = await app.guest();
    const photo = await uploaded(app, token, await jpeg(410, 500, 400));
    await idle(app);
    // The database refuses the claim, as it would on a full disk, until the trigger has gone.
    await sql(app, `create trigger no_claim before insert on run begin select raise(abort, 'disk full'); end`);
    const id = await queued(app, token, photo);
    await until(async () => (await sql<any>(app, 'select fence from job'))[0]?.fence > 0);
    await until(async () => (await sql<any>(app, 'select lease_owner as o from job'))[0]?.o === null);
    expect((await timesOf(app, token, id)).status).toBe('QUEUED');
    await sql(app, 'drop trigger no_claim');
    expect(await app.ended(id, token)).toMatchObject({ status: 'SUCCEEDED', attempts: 1 });

    // Now the end of a try cannot be written: it is taken back and tried again.
    await sql(
      app,
      `create trigger no_end before update of finished_at on run begin select raise(abort, 'disk full'); end`,
    );
    const second = await queued(app, token, photo);
    await until(async () => (await timesOf(app, token, second)).status === 'RUNNING');
    await until(async () => (await sql<any>(app, 'select lease_owner as o from job'))[0]?.o === null);
    await sql(app, 'drop trigger no_end');
    expect(await app.ended(second, token)).toMatchObject({ status: 'SUCCEEDED', attempts: 2 });
    await expectTidy(app);
  });
});

it('renditions of a photo that could not be made are made later', async () => {
  const app = await appForTest();
  const token = await app.guest();
  await sql(app, `create trigger full before insert on rendition begin select raise(abort, 'disk full'); end`);
  const photo = await uploaded(app, token, await jpeg(420));
  await until(async () => (await sql<any>(app, 'select not_before as at from job'))[0]?.at > 0);
  await until(async () => (await storedFiles(app.dataDir)).length === 1);
  await sql(app, 'drop trigger full');
  await idle(app);
  const { photo: after } = await app.ok(
    'query ($id: ID!) { photo(id: $id) { renditions { name } } }',
    { id: photo },
    token,
  );
  expect(after.renditions).toHaveLength(4);
  await expectTidy(app);
});

describe('C14: what is deleted while it runs', () => {
  it('a photo: no row, no file, and none comes back', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const bytes = await jpeg(411, 900, 700);
    // At different moments of the work, down to the encoding of the result and its renditions.
    for (const [index, stage] of ['PREPARING', 'DENOISING', 'COLOURING', 'FINISHING'].entries()) {
      const photo = await uploaded(app, token, Buffer.concat([bytes, Buffer.from([index])]));
      const id = await queued(app, token, photo);
      await collect(
        socketClient(app, token),
        FOLLOW,
        { id },
        (event) => event.stage === stage || event.status === 'SUCCEEDED',
      );
      await app.ok(DELETE, { id: photo }, token);
      expect((await app.ok('query ($id: ID!) { photo(id: $id) { id } }', { id: photo }, token)).photo).toBeNull();
      await expectTidy(app);
      expect(await storedFiles(app.dataDir)).toEqual([]);
    }
    for (const table of ['photo', 'restoration', 'run', 'rendition', 'job', 'submission']) {
      expect(await sql(app, `select * from ${table}`)).toEqual([]);
    }
    expect(await sql(app, "select * from event where kind <> 'PHOTO_DELETED'")).toEqual([]);
  });

  it('a photo whose rendition is just being made on request', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const photo = await uploaded(app, token, await jpeg(412, 2400, 1800));
    await idle(app);
    const making = app.request(
      'query ($id: ID!) { photo(id: $id) { rendition(name: ORIGINAL) { url } } }',
      { id: photo },
      token,
    );
    await until(async () => (await storedFiles(app.dataDir)).some((file) => file.startsWith('tmp')), 5000, 1);
    await app.ok(DELETE, { id: photo }, token);
    const { data, errors } = await making;
    expect(data?.photo?.rendition ?? null).toBeNull();
    expect(errors.every(({ extensions }) => extensions.code !== undefined)).toBe(true);
    await expectTidy(app);
    expect(await storedFiles(app.dataDir)).toEqual([]);
  });

  it('a photo that is being restored anew at the same moment', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const bytes = await jpeg(418);
    const codes: (string | undefined)[] = [];
    for (let round = 0; round < 6; round++) {
      const photo = await uploaded(app, token, Buffer.concat([bytes, Buffer.from([round])]));
      const by = () => app.request(BY_ID, { id: photo }, token);
      const answers = await Promise.all([by(), by(), app.request(DELETE, { id: photo }, token), by(), by()]);
      codes.push(...answers.flatMap(({ errors }) => errors.map(({ extensions }) => extensions.code)));
    }
    expect(new Set(codes)).toEqual(new Set(['NOT_FOUND']));
    await expectTidy(app);
    expect(await storedFiles(app.dataDir)).toEqual([]);
  });

  it('a session of an account: what it began goes on', async () => {
    const app = await appForTest();
    const register = 'mutation { register(input: { username: "eve", password: "correct horse battery" }) { token } }';
    const first = (await app.ok(register, {}, await app.guest())).register.token;
    const login =
      'mutation { login(input: { username: "eve", password: "correct horse battery" }) { token session { id } } }';
    const second = (await app.ok(login)).login;
    const id = await queued(app, second.token, await uploaded(app, second.token, await jpeg(419, 900, 700)));
    await running(app, first, id);
    await app.ok(
      'mutation ($id: ID!) { deleteSession(input: { sessionId: $id }) { sessionId } }',
      { id: second.session.id },
      first,
    );
    expect(await app.ended(id, first)).toMatchObject({ status: 'SUCCEEDED', attempts: 1 });
    await expectTidy(app);
  });

  it('an account, and a guest who logs out; others are left alone', async () => {
    const app = await appForTest();
    const bystander = await app.guest();
    const kept = await uploaded(app, bystander, await jpeg(413));
    await idle(app);
    const register = 'mutation { register(input: { username: "eve", password: "correct horse battery" }) { token } }';
    const account = (await app.ok(register, {}, await app.guest())).register.token;
    const guest = await app.guest();
    for (const [token, end, variables] of [
      [account, 'mutation { deleteAccount(input: { password: "correct horse battery" }) { __typename } }', {}],
      [guest, 'mutation { logout { sessionId } }', {}],
    ] as const) {
      const bytes = await jpeg(414, 900, 700);
      const id = await queued(app, token, await uploaded(app, token, bytes));
      await running(app, token, id);
      // An upload that is still on its way when its owner goes must not outlive them.
      const late = app.upload(UPLOAD, { file: { bytes: await jpeg(415, 1500, 1100) } }, {}, token).catch(() => null);
      await app.ok(end, variables, token);
      const answer = await late;
      expect(['UNAUTHENTICATED', undefined]).toContain(answer?.errors[0]?.extensions.code);
      await expectTidy(app);
      expect((await app.request('{ viewer { user { id } } }', {}, token)).errors[0]?.extensions.code).toBe(
        'UNAUTHENTICATED',
      );
    }
    expect(await sql(app, 'select id from user')).toHaveLength(1);
    expect(await sql(app, 'select id from photo')).toHaveLength(1);
    expect((await app.ok('query ($id: ID!) { photo(id: $id) { id } }', { id: kept }, bystander)).photo.id).toBe(kept);
    expect(await storedFiles(app.dataDir)).toHaveLength(5);
    for (const table of ['session', 'restoration', 'run', 'job']) {
      expect((await sql(app, `select * from ${table}`)).length).toBe(table === 'session' ? 1 : 0);
    }
  });
});

describe('cancel', () => {
  it('answers within half a second, waiting or running, and frees the place', async () => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1' });
    const token = await app.guest();
    const photo = await uploaded(app, token, await jpeg(416, 1000, 800));
    const [runs, waits, next] = [
      await queued(app, token, photo, 'upscale-4x'),
      await queued(app, token, photo),
      await queued(app, token, await uploaded(app, token, await jpeg(417))),
    ];
    await collect(socketClient(app, token), FOLLOW, { id: runs }, ({ stage }) => stage === 'UPSCALING');
    for (const id of [waits, runs]) {
      const began = performance.now();
      await app.ok(CANCEL, { id }, token);
      expect(performance.now() - began).toBeLessThan(600);
    }
    expect((await app.ended(next, token)).status).toBe('SUCCEEDED');
    for (const id of [waits, runs]) expect((await timesOf(app, token, id)).status).toBe('CANCELLED');
    await expectTidy(app);
  });
});
