import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, type Client, type ClientOptions } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { RESTORE, startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { photoBytes } from './helpers/photos.ts';

const FOLLOW = `subscription ($id: ID!, $after: String) {
  restorationUpdated(id: $id, after: $after) { cursor status stage percent }
}`;
const ACTIVITY = 'subscription ($after: String) { viewerActivity(after: $after) { cursor kind photo { id } } }';

let app: TestApp;
beforeAll(async () => {
  // One at a time, so that what is submitted second can be followed from QUEUED on.
  app = await startApp({ MAX_CONCURRENT_RESTORATIONS: '1' });
});
afterAll(() => app.close());

/** A TCP proxy whose cable can be pulled. */
async function startProxy(url: string) {
  const sockets = new Set<Socket>();
  let port = Number(new URL(url).port);
  let plugged = true;
  let accepted = 0;
  const server = createServer((near) => {
    if (!plugged) return void near.destroy();
    accepted++;
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
      socket.pipe(other);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Connections let through so far. */
    accepted: () => accepted,
    /** Cuts every connection, and refuses new ones until `plug`. */
    unplug() {
      plugged = false;
      for (const socket of sockets) socket.destroy();
    },
    plug(to = url) {
      port = Number(new URL(to).port);
      plugged = true;
    },
  };
  onTestFinished(() => {
    proxy.unplug();
    server.close();
  });
  return proxy;
}

function open(url: string, token: string, options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    // By default it gives up when the network is down while it tries to come back.
    shouldRetry: () => true,
    retryAttempts: 200,
    retryWait: () => sleep(20),
    ...options,
  });
  onTestFinished(() => void client.dispose());
  return client;
}

/**
 * Follows a subscription; each retry goes on from the last event that was seen, because the client sends the variables
 * as they are then.
 */
function follow(client: Client, query: string, given: { id?: string; after?: string }, seen: (event: any) => void) {
  const variables: Record<string, unknown> = { ...given };
  return new Promise<void>((resolve, reject) => {
    const unsubscribe = client.subscribe<Record<string, any>>(
      { query, variables },
      {
        next({ data, errors }) {
          if (errors) return reject(new Error(JSON.stringify(errors)));
          const event = Object.values(data ?? {})[0];
          variables['after'] = event.cursor;
          seen(event);
        },
        error: reject,
        complete: resolve,
      },
    );
    onTestFinished(unsubscribe);
  });
}

/** A restoration that waits for another one before it begins, which keeps it in QUEUED for a moment. */
async function submit(service: TestApp, token: string, upscale = 2): Promise<string> {
  const file = { bytes: await photoBytes('coffee.png') };
  const ids: string[] = [];
  for (const options of [{ upscale: 1 }, { upscale }]) {
    const { data, errors } = await service.upload(RESTORE, { file }, { modelId: 'auto', options }, token);
    expect(errors).toEqual([]);
    ids.push(data.restorePhoto.restoration.id);
  }
  return ids[1]!;
}

/** The steps among the events: a percent in between bears the cursor of its step. */
const stepsOf = (events: any[]) => [
  ...new Map(events.map(({ cursor, status, stage }) => [cursor, { cursor, status, stage }])).values(),
];

/** What the log holds of a restoration from an event on, read again by somebody who lost nothing. */
async function logFrom(url: string, token: string, id: string, first: any) {
  const events = [first];
  await follow(open(url, token), FOLLOW, { id, after: first.cursor }, (event) => events.push(event));
  return stepsOf(events);
}

describe("graphql-ws's own client, when the connection drops in the middle", () => {
  it.each([{ lazy: true }, { lazy: false }])(
    'misses no stage after its socket has been terminated again and again (lazy: $lazy)',
    async ({ lazy }) => {
      const token = await app.guest();
      const id = await submit(app, token);
      const watched: any[] = [];
      const watching = follow(open(app.url, token), FOLLOW, { id }, (event) => watched.push(event));
      await expect.poll(() => watched.length).toBeGreaterThan(0);

      const events: any[] = [];
      const sockets: WebSocket[] = [];
      const client = open(app.url, token, {
        lazy,
        on: { connected: (socket) => sockets.push(socket as WebSocket) },
        // Comes back when two more steps have passed, so that the present state alone would not do.
        async retryWait() {
          const missed = () => stepsOf(watched).length - stepsOf(events).length;
          while (missed() < 2 && watched.at(-1).status !== 'SUCCEEDED') await sleep(10);
        },
      });
      let drops = 0;
      await follow(client, FOLLOW, { id }, (event) => {
        const known = events.at(-1)?.cursor === event.cursor;
        events.push(event);
        const socket = sockets.at(-1);
        if (known || event.status === 'SUCCEEDED' || socket?.readyState !== WebSocket.OPEN) return;
        drops++;
        socket.terminate();
      });
      await watching;
      expect(drops).toBeGreaterThan(1);
      expect(sockets).toHaveLength(drops + 1);
      expect(events[0].status).toBe('QUEUED');
      expect(events.at(-1)).toMatchObject({ status: 'SUCCEEDED', percent: 100 });
      expect(stepsOf(events)).toEqual(await logFrom(app.url, token, id, events[0]));
    },
  );

  it.each([{ lazy: true }, { lazy: false }])(
    'misses no stage that passes while the network is down (lazy: $lazy)',
    async ({ lazy }) => {
      const token = await app.guest();
      const id = await submit(app, token);
      const proxy = await startProxy(app.url);
      const events: any[] = [];
      const following = follow(open(proxy.url, token, { lazy }), FOLLOW, { id }, (event) => {
        events.push(event);
        if (events.length === 1) proxy.unplug();
      });
      await expect.poll(() => events.length).toBeGreaterThan(0);
      // Somebody else sees it run past several stages.
      await follow(open(app.url, token), FOLLOW, { id }, (event) => {
        if (event.stage === 'FINISHING') proxy.plug();
      });
      proxy.plug();
      await following;
      expect(proxy.accepted()).toBe(2);
      expect(events.at(-1)).toMatchObject({ status: 'SUCCEEDED', percent: 100 });
      const steps = stepsOf(events);
      expect(steps).toEqual(await logFrom(app.url, token, id, events[0]));
      expect(steps.map(({ stage }) => stage)).toEqual(expect.arrayContaining(['PREPARING', 'UPSCALING', 'FINISHING']));
    },
  );

  it('completes at once where nothing was missed but the end of the subscription', async () => {
    const token = await app.guest();
    const { data } = await app.upload(RESTORE, { file: { bytes: await photoBytes('rocket.jpg') } }, {}, token);
    const { id } = data.restorePhoto.restoration;
    const events: any[] = [];
    await follow(open(app.url, token), FOLLOW, { id }, (event) => events.push(event));
    const again: any[] = [];
    const after = events.at(-1).cursor;
    const following = follow(open(app.url, token), FOLLOW, { id, after }, (event) => again.push(event));
    expect(await Promise.race([following, sleep(3000, 'still open')])).toBeUndefined();
    expect(again).toEqual([]);
  });

  it('C7: goes on where it was after a restart of the service (1012)', async () => {
    const settings = { MAX_CONCURRENT_RESTORATIONS: '1', SHUTDOWN_GRACE_SECONDS: '0' };
    const first = await startApp(settings);
    const token = await first.guest();
    const id = await submit(first, token, 4);
    const proxy = await startProxy(first.url);
    const events: any[] = [];
    const codes: number[] = [];
    const on: ClientOptions['on'] = { closed: (event) => codes.push((event as CloseEvent).code) };
    const running = Promise.withResolvers<void>();
    const following = follow(open(proxy.url, token, { on }), FOLLOW, { id }, (event) => {
      events.push(event);
      if (event.stage !== null) running.resolve();
    });
    await running.promise;
    await first.app.close();
    proxy.unplug();
    expect(codes[0]).toBe(1012);

    const second = await startApp({ ...settings, DATA_DIR: first.dataDir });
    onTestFinished(async () => {
      await second.close();
      await rm(first.dataDir, { recursive: true });
    });
    proxy.plug(second.url);
    await following;
    expect(events.at(-1)).toMatchObject({ status: 'SUCCEEDED', percent: 100 });
    expect(stepsOf(events)).toEqual(await logFrom(second.url, token, id, events[0]));
    const { restoration } = await second.ok('query ($id: ID!) { restoration(id: $id) { attempts } }', { id }, token);
    expect(restoration.attempts).toBe(2);
  });
});

describe('C37: connectionParams as a function', () => {
  it('comes back with a new token after 4403 has ended the old one, and goes on where it was', async () => {
    const short = await startApp({ JWT_EXPIRES_IN: '2s' });
    onTestFinished(() => short.close());
    const tokens = [await short.guest()];
    const codes: number[] = [];
    const client = open(short.url, '', {
      connectionParams: async () => {
        if (codes.length > 0) {
          const data = await short.ok('mutation { refreshSession { token } }', {}, tokens.at(-1));
          tokens.push(data.refreshSession.token);
        }
        return { authorization: `Bearer ${tokens.at(-1)}` };
      },
      on: { closed: (event) => codes.push((event as CloseEvent).code) },
      // Long enough for something to happen while nobody is connected.
      retryWait: () => sleep(300),
    });
    const events: any[] = [];
    follow(client, ACTIVITY, {}, (event) => events.push(event)).catch(() => {});

    const upload = async (name: string) => {
      const { data } = await short.upload(UPLOAD, { file: { bytes: await photoBytes(name) } }, {}, tokens.at(-1));
      return data.uploadPhoto.photo.id;
    };
    const before = await upload('rocket.jpg');
    await expect.poll(() => events.filter(({ kind }) => kind === 'PHOTO_READY').length, { timeout: 5000 }).toBe(1);
    await expect.poll(() => codes.length, { timeout: 5000 }).toBeGreaterThan(0);
    const meanwhile = await upload('camera.png');
    await expect.poll(() => events.filter(({ kind }) => kind === 'PHOTO_READY').length, { timeout: 5000 }).toBe(2);
    expect([...new Set(codes)]).toEqual([4403]);
    expect(tokens.length).toBeGreaterThan(1);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(events.filter(({ kind }) => kind === 'PHOTO_UPLOADED').map(({ photo }) => photo.id)).toEqual([
      before,
      meanwhile,
    ]);
  });

  it('tries again with a good token where the first one was refused', async () => {
    const offered = ['Bearer nonsense', `Bearer ${await app.guest()}`];
    const given: string[] = [];
    const client = open(app.url, '', {
      connectionParams: () => {
        given.push(offered[Math.min(given.length, 1)]!);
        return { authorization: given.at(-1) };
      },
    });
    const results = client.iterate<any>({ query: '{ viewer { user { guest } } }' });
    expect((await results.next()).value.data.viewer.user.guest).toBe(true);
    expect(given).toEqual(offered);
  });
});
