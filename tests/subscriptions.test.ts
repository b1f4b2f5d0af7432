import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { appForTest, RESTORE, startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { ACTIVITY, collect, FOLLOW, idle, jpeg, picture, socketClient, sql, until } from './helpers/service.ts';

let app: TestApp;
let token: string;
/** Restored in two or three seconds, with every stage. */
let slow: Buffer;
beforeAll(async () => {
  app = await startApp();
  token = await app.guest();
  slow = await jpeg(300, 900, 700);
});
afterAll(() => app.close());

const start = async (bytes: Uint8Array, variables: object = {}, on = app, as = token): Promise<string> => {
  const { data, errors } = await on.upload(RESTORE, { file: { bytes } }, variables, as);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.restorePhoto.restoration.id;
};
/** A restoration of the slow photo; the key makes it a new one each time. */
const again = (key: string, on = app, as = token): Promise<string> => start(slow, { key }, on, as);
const seqOf = ({ cursor }: { cursor: string }): number => Number(Buffer.from(cursor, 'base64url').toString().slice(1));
const shown = ({ status, stage }: { status: string; stage: string | null }): string => `${status} ${stage ?? '-'}`;

/** The stored events among those that came: each stands where its cursor is new. */
function stored(events: any[]): any[] {
  return events.filter((event, index) => index === 0 || event.cursor !== events[index - 1].cursor);
}

/** Cursors never go back, and neither does the percent within one try. */
function expectOrder(events: any[]): void {
  for (const [index, event] of events.entries()) {
    const before = events[index - 1];
    if (before === undefined) continue;
    expect(seqOf(event)).toBeGreaterThanOrEqual(seqOf(before));
    expect(event.percent).toBeGreaterThanOrEqual(event.attempt === before.attempt ? before.percent : 0);
  }
}

const STAGES = [
  'QUEUED -',
  'RUNNING -',
  'RUNNING PREPARING',
  'RUNNING DENOISING',
  'RUNNING COLOURING',
  'RUNNING FINISHING',
  'SUCCEEDED -',
];
const logOf = async (id: string): Promise<string[]> => {
  const rows = await sql<any>(app, 'select status, stage, seq from event where restoration_id = ? order by seq', [
    Buffer.from(id, 'base64').toString().split(':')[1],
  ]);
  return rows.map(shown);
};

describe('restorationUpdated', () => {
  it('shows the present state, then every stage in order, and completes at the end', async () => {
    const id = await again('order');
    const events = await collect(socketClient(app, token), FOLLOW, { id });
    expectOrder(events);
    expect(await logOf(id)).toEqual(STAGES);
    const seen = stored(events).map(shown);
    expect(STAGES.join()).toContain(seen.join());
    expect(seen).toEqual(expect.arrayContaining(['RUNNING DENOISING', 'RUNNING FINISHING']));
    expect(events.at(-1)).toMatchObject({
      status: 'SUCCEEDED',
      percent: 100,
      restoration: { status: 'SUCCEEDED', percent: 100 },
    });
    expect(events.length - stored(events).length).toBeGreaterThan(3);
    const percents = new Set(events.map(({ percent }) => Math.round(percent)));
    expect(percents.size).toBeGreaterThan(5);

    // Of one that has ended, the end; with a cursor, what came after it; nothing behind the last.
    expect((await collect(socketClient(app, token), FOLLOW, { id })).map(shown)).toEqual(['SUCCEEDED -']);
    const all = await collect(socketClient(app, token), FOLLOW, { id, after: Buffer.from('e0').toString('base64url') });
    expect(all.map(shown)).toEqual(STAGES);
    expect((await collect(socketClient(app, token), FOLLOW, { id, after: all[3].cursor })).map(shown)).toEqual(
      STAGES.slice(4),
    );
    expect(await collect(socketClient(app, token), FOLLOW, { id, after: all.at(-1).cursor })).toEqual([]);
    const future = Buffer.from('e999999999').toString('base64url');
    expect(await collect(socketClient(app, token), FOLLOW, { id, after: future })).toEqual([]);
  });

  it('C45: who loses the socket and comes back with the cursor misses no stage and sees none twice', async () => {
    const id = await again('drops');
    const events: any[] = [];
    let sockets = 0;
    for (const last of ['PREPARING', 'DENOISING', 'COLOURING', null]) {
      sockets += 1;
      const client = createClient({
        url: `${app.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      });
      const after = events.at(-1)?.cursor;
      events.push(...(await collect(client, FOLLOW, { id, after }, ({ stage }) => last !== null && stage === last)));
      client.terminate();
    }
    expect(sockets).toBe(4);
    expectOrder(events);
    const seen = stored(events).map(shown);
    expect(STAGES.join()).toContain(seen.join());
    expect(seen.at(-1)).toBe('SUCCEEDED -');
    expect(seen.length).toBeGreaterThanOrEqual(5);
  });

  it('a client that reconnects by itself goes on', async () => {
    const id = await again('reconnect');
    let socket: WebSocket | undefined;
    let drops = 0;
    const client = createClient({
      url: `${app.url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 5,
      retryWait: async () => {},
      on: { connected: (opened) => void (socket = opened as WebSocket) },
    });
    const events = await collect(client, FOLLOW, { id }, ({ stage }) => {
      if (stage === 'DENOISING' && drops++ === 0) socket?.terminate();
      return false;
    });
    expect(drops).toBeGreaterThan(1);
    expectOrder(events);
    expect(events.at(-1).status).toBe('SUCCEEDED');
    await client.dispose();
  });

  it('server-sent events say the same', async () => {
    const id = await start(await jpeg(301, 400, 300));
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ query: FOLLOW, variables: { id, after: Buffer.from('e0').toString('base64url') } }),
    });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const text = await response.text();
    const events = text
      .split('\n\n')
      .filter((part) => part.includes('event: next'))
      .map((part) => JSON.parse(/^data: (.*)$/m.exec(part)![1]!).data.restorationUpdated);
    expectOrder(events);
    expect(stored(events).map(shown)).toEqual(await logOf(id));
    expect(text).toMatch(/event: complete/);
  });

  it("of somebody else's, or of nothing, is NOT_FOUND; a bad cursor BAD_USER_INPUT", async () => {
    const id = await start(await jpeg(302));
    const code = (client: any, variables: object) =>
      collect(client, FOLLOW, variables as any).then(
        () => 'no error',
        (error: any) => error.code ?? error[0]?.extensions?.code,
      );
    const foreign = await app.guest();
    expect(await code(socketClient(app, foreign), { id })).toBe('NOT_FOUND');
    expect(await code(socketClient(app, null), { id })).toBe('NOT_FOUND');
    expect(await code(socketClient(app, token), { id: 'nonsense' })).toBe('NOT_FOUND');
    for (const after of ['nonsense', '', Buffer.from('e-1').toString('base64url')]) {
      expect(await code(socketClient(app, token), { id, after })).toBe('BAD_USER_INPUT');
    }
  });

  it('completes when the restoration or its photo is deleted', async () => {
    for (const [what, query] of [
      ['restoration', 'mutation ($id: ID!) { deleteRestoration(input: { id: $id }) { deletedRestorationId } }'],
      ['photo', 'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }'],
    ] as const) {
      const { data } = await app.upload(RESTORE, { file: { bytes: slow } }, { key: `delete ${what}` }, token);
      const { photo, restoration } = data.restorePhoto;
      let began: () => void = () => {};
      const running = new Promise<void>((resolve) => (began = resolve));
      const following = collect(socketClient(app, token), FOLLOW, { id: restoration.id }, ({ stage }) => {
        if (stage === 'DENOISING') began();
        return false;
      });
      await running;
      await app.ok(query, { id: what === 'photo' ? photo.id : restoration.id }, token);
      const events = await following;
      expect(events.at(-1).status).toBe('RUNNING');
    }
  });

  it('a retry after a failure is a new attempt, and who follows it sees it through', async () => {
    const own = await appForTest({ JOB_TIMEOUT_SECONDS: '1', MAX_ATTEMPTS: '1' });
    const guest = await own.guest();
    const id = await start(await jpeg(303, 2400, 1800), {}, own, guest);
    const failing = await collect(socketClient(own, guest), FOLLOW, { id });
    expectOrder(failing);
    expect(failing.at(-1)).toMatchObject({ status: 'FAILED', attempt: 1 });
    await own.ok('mutation ($id: ID!) { retryRestoration(input: { id: $id }) { restoration { id } } }', { id }, guest);
    const events = await collect(socketClient(own, guest), FOLLOW, { id, after: failing.at(-1).cursor });
    expectOrder(events);
    expect(stored(events).map(shown).slice(0, 2)).toEqual(['QUEUED -', 'RUNNING -']);
    expect(events.at(-1)).toMatchObject({ status: 'FAILED', attempt: 2 });
    const { restoration } = await own.ok(
      'query ($id: ID!) { restoration(id: $id) { runs { number error { code } } } }',
      { id },
      guest,
    );
    expect(restoration.runs).toEqual([1, 2].map((number) => ({ number, error: { code: 'PROVIDER_TIMEOUT' } })));
  });

  it('C45: a reader that stands still for a while gets every stage, if not every percent', async () => {
    const id = await again('stalls');
    const followed = await app.app.services.follow.restoration(await contextOf(token), localIdOf(id), undefined);
    const events: any[] = [];
    for await (const { event } of followed) {
      events.push({ ...event, cursor: Buffer.from(`e${event.seq}`).toString('base64url') });
      // Long enough for more percents than a subscriber's buffer holds, had they not been thinned out.
      if (events.length === 2) await until(async () => (await statusOf(id)) === 'SUCCEEDED', 20_000, 50);
    }
    expectOrder(events);
    const seen = stored(events).map(shown);
    expect(STAGES.join()).toContain(seen.join());
    expect(seen.at(-1)).toBe('SUCCEEDED -');
  });
});

const localIdOf = (id: string): string => Buffer.from(id, 'base64').toString().split(':')[1]!;
const statusOf = async (id: string): Promise<string> =>
  (await app.ok('query ($id: ID!) { restoration(id: $id) { status } }', { id }, token)).restoration.status;
async function contextOf(bearer: string) {
  const { actor } = await app.app.services.auth.authenticate(bearer, '127.0.0.1');
  return { ...app.app.systemContext(), actor };
}

describe('viewerActivity', () => {
  it('tells what happens in this session, and after a cursor what was missed', async () => {
    const [mine, theirs] = [await app.guest(), await app.guest()];
    const client = socketClient(app, mine);
    const seen: any[] = [];
    const following = collect(client, ACTIVITY, {}, (event) => seen.push(event) > 0 && event.kind === 'PHOTO_DELETED');
    // Nothing says when a subscription stands; what happens before it would be missed by right.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await app.upload(UPLOAD, { file: { bytes: await jpeg(310) } }, {}, theirs);
    const { data } = await app.upload(RESTORE, { file: { bytes: await picture(311).png().toBuffer() } }, {}, mine);
    const { photo, restoration } = data.restorePhoto;
    await app.ended(restoration.id, mine);
    await idle(app);
    await app.ok('mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }', { id: photo.id }, mine);
    const events = await following;
    const kinds = events.map(({ kind }) => kind);
    expect(kinds[0]).toBe('PHOTO_UPLOADED');
    expect(kinds.filter((kind) => kind === 'PHOTO_READY')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'RESTORATION_CHANGED').length).toBeGreaterThanOrEqual(4);
    expect(kinds.at(-1)).toBe('PHOTO_DELETED');
    expect(events.find(({ kind }) => kind === 'PHOTO_READY').photo).toMatchObject({ id: photo.id });
    expect(events.some((event) => event.restoration?.status === 'SUCCEEDED')).toBe(true);
    expect(events.at(-1)).toMatchObject({ photo: null, restoration: null });
    const cursors = events.map(seqOf);
    expect(cursors).toEqual([...new Set(cursors)].toSorted((a, b) => a - b));
  });

  it('replays from the cursor exactly what was missed', async () => {
    const mine = await app.guest();
    const first = await app.upload(UPLOAD, { file: { bytes: await jpeg(312) } }, {}, mine);
    await idle(app);
    const all = await collect(
      socketClient(app, mine),
      ACTIVITY,
      { after: Buffer.from('e0').toString('base64url') },
      ({ kind }) => kind === 'PHOTO_DIAGNOSED',
    );
    expect(all.map(({ kind }) => kind)).toEqual(['PHOTO_UPLOADED', 'PHOTO_READY', 'PHOTO_DIAGNOSED']);
    expect(all[1].photo.renditions.map(({ name }: any) => name)).toEqual(['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE']);
    const id = (
      await app.ok(
        'mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }',
        { id: first.data.uploadPhoto.photo.id },
        mine,
      )
    ).restorePhoto.restoration.id;
    await app.ended(id, mine);
    const missed = await collect(
      socketClient(app, mine),
      ACTIVITY,
      { after: all[2].cursor },
      (event) => event.restoration?.status === 'SUCCEEDED' && event.kind === 'RESTORATION_CHANGED',
    );
    expect(missed[0].kind).toBe('RESTORATION_CHANGED');
    expect(seqOf(missed[0])).toBeGreaterThan(seqOf(all[2]));
    const refused = collect(socketClient(app, null), ACTIVITY, {});
    await expect(refused.catch((error: any) => error.code ?? error[0].extensions.code)).resolves.toBe(
      'UNAUTHENTICATED',
    );
  });
});

describe('C37: the right to a subscription ends', () => {
  /** Follows an account's activity; resolves to the code the socket was closed with. */
  async function closing(on: TestApp, bearer: string): Promise<{ closed: Promise<number>; ready: Promise<void> }> {
    let ready: () => void = () => {};
    const opened = new Promise<void>((resolve) => (ready = resolve));
    const closed = new Promise<number>((resolve) => {
      const client = createClient({
        url: `${on.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: bearer },
        retryAttempts: 0,
        on: { closed: (event: any) => resolve(event.code), connected: () => ready() },
      });
      client.subscribe({ query: ACTIVITY }, { next() {}, error() {}, complete() {} });
    });
    return { closed, ready: opened };
  }

  it('with the token: the socket is closed with 4403 within seconds', async () => {
    const own = await appForTest({ JWT_EXPIRES_IN: '1s' });
    const { closed } = await closing(own, await own.guest());
    const began = Date.now();
    expect(await closed).toBe(4403);
    expect(Date.now() - began).toBeLessThan(3000);
  });

  it('with the session, deleted or logged out', async () => {
    const register = 'mutation { register(input: { username: "bob", password: "correct horse battery" }) { token } }';
    const first = (await app.ok(register, {}, await app.guest())).register.token;
    const login =
      'mutation { login(input: { username: "bob", password: "correct horse battery" }) { token session { id } } }';
    const [second, third] = [(await app.ok(login)).login, (await app.ok(login)).login];
    const sockets = await Promise.all([second.token, third.token].map((bearer) => closing(app, bearer)));
    await Promise.all(sockets.map(({ ready }) => ready));
    await app.ok(
      'mutation ($id: ID!) { deleteSession(input: { sessionId: $id }) { sessionId } }',
      { id: second.session.id },
      first,
    );
    expect(await sockets[0]!.closed).toBe(4403);
    await app.ok('mutation { logout { sessionId } }', {}, third.token);
    expect(await sockets[1]!.closed).toBe(4403);
  });
});
