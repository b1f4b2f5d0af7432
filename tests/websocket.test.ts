import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { HTTP_LIMITS } from '../src/http/limits.ts';
import { startEdge, type Edge } from './helpers/edge.ts';
import { open, until } from './helpers/raw-http.ts';
import { openSession, openSocket } from './helpers/raw-socket.ts';

const TICKS = 'subscription ($id: ID!) { ticks(id: $id) { n text } }';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({
    limits: {
      openConnections: { perAddress: 20, perSession: 3 },
      socket: { ...HTTP_LIMITS.socket, initMs: 300, operations: 5 },
    },
  });
});
afterAll(() => edge.stop());

/** Bytes that are really in use: what waits to be collected is not held back for anybody. */
function held(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const subscribe = (id: string, query: string, variables: object = {}) => ({
  type: 'subscribe',
  id,
  payload: { query, variables },
});
const ofId = (id: string, type: string) => (message: any) => message.id === id && message.type === type;

describe('a socket', () => {
  it('carries subscriptions for the actor of its token', async () => {
    const session = await openSession(edge.url, 'ann');
    session.send(subscribe('1', '{ whoami baseUrl }'));
    expect((await session.next(ofId('1', 'next'))).payload.data).toEqual({
      whoami: 'ann/session-ann',
      baseUrl: edge.url,
    });
    session.send(subscribe('2', TICKS, { id: 'a' }));
    await until(() => edge.seen.live === 1);
    edge.bus.publish('tick', 'a', { n: 1, text: 'one' });
    edge.bus.publish('tick', 'other', { n: 9, text: 'not mine' });
    edge.bus.publish('tick', 'a', { n: 2, text: 'two' });
    await until(() => session.messages.filter(ofId('2', 'next')).length === 2);
    expect(session.messages.filter(ofId('2', 'next')).map(({ payload }) => payload.data.ticks.n)).toEqual([1, 2]);
    session.socket.close();
    await until(() => edge.seen.live === 0);
  });

  it('ends a waiting subscription as soon as the client completes it', async () => {
    const session = await openSession(edge.url);
    session.send(subscribe('1', TICKS, { id: 'quiet' }));
    await until(() => edge.seen.live === 1);
    session.send({ type: 'complete', id: '1' });
    await until(() => edge.seen.live === 0, 500);
    expect(session.messages.filter(({ type }) => type === 'error')).toEqual([]);
    session.socket.close();
  });

  it('works with the graphql-ws client, anonymous queries included', async () => {
    const client = createClient({ url: `${edge.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket });
    const results = client.iterate({ query: '{ whoami }' });
    expect((await results.next()).value).toEqual({ data: { whoami: 'anonymous' } });
    await client.dispose();
  });

  it('answers refusals with their code and stays open', async () => {
    const session = await openSession(edge.url);
    session.send(subscribe('denied', 'subscription { denied { n } }'));
    session.send(subscribe('crash', '{ crash }'));
    session.send(subscribe('breaks', 'subscription { breaks { n } }'));
    const [denied, crash] = await Promise.all([
      session.next(({ id, type }) => id === 'denied' && type !== 'complete'),
      session.next(ofId('crash', 'next')),
      session.next(ofId('breaks', 'complete')),
    ]);
    expect(JSON.stringify(denied)).toContain('NOT_FOUND');
    expect(crash.payload.errors[0].extensions).toEqual({
      code: 'INTERNAL_SERVER_ERROR',
      requestId: expect.any(String),
    });
    expect(JSON.stringify(session.messages)).not.toContain('SELECT secret');
    const broken = session.messages.filter(ofId('breaks', 'next'));
    expect(broken.map(({ payload }) => payload.data?.breaks.n ?? payload.errors[0].extensions.code)).toEqual([
      1,
      'INTERNAL_SERVER_ERROR',
    ]);
    session.send(subscribe('still', '{ hello }'));
    expect((await session.next(ofId('still', 'next'))).payload.data.hello).toBe('hello');
    session.socket.close();
  });
});

describe('C37: who may, and how much', () => {
  it('no init is 4408 within 3 s', async () => {
    expect(HTTP_LIMITS.socket.initMs).toBe(3000);
    expect(await (await openSocket(edge.url)).closed).toBe(4408);
  });

  it.each(['Bearer not a token', 'Bearer ???', 'NOT-A-TOKEN', `ann@${Date.now() - 1000}`])(
    '%s is 4403',
    async (authorization) => {
      const raw = await openSocket(edge.url);
      raw.send({ type: 'connection_init', payload: { authorization } });
      expect(await raw.closed).toBe(4403);
    },
  );

  it('a token may come without Bearer', async () => {
    const raw = await openSocket(edge.url);
    raw.send({ type: 'connection_init', payload: { authorization: 'ann' } });
    expect(await raw.next(({ type }) => type === 'connection_ack')).toEqual({ type: 'connection_ack' });
    raw.socket.close();
  });

  it('a token that expires closes the socket with 4403 at that time', async () => {
    const session = await openSession(edge.url, `ann@${Date.now() + 400}`);
    session.send(subscribe('1', TICKS, { id: 'a' }));
    await until(() => edge.seen.live === 1);
    const started = Date.now();
    expect(await session.closed).toBe(4403);
    expect(Date.now() - started).toBeLessThan(1000);
    await until(() => edge.seen.live === 0);
  });

  it('the end of its session closes the socket with 4403, and no other', async () => {
    const [ann, bob] = await Promise.all([openSession(edge.url, 'ann'), openSession(edge.url, 'bob')]);
    edge.endSession('session-ann');
    expect(await ann.closed).toBe(4403);
    expect(bob.socket.readyState).toBe(WebSocket.OPEN);
    bob.socket.close();
    await bob.closed;
  });

  it('what passes is 1013, never 4500', async () => {
    const raw = await openSocket(edge.url);
    raw.send({ type: 'connection_init', payload: { authorization: 'database-down' } });
    expect(await raw.closed).toBe(1013);
  });

  it.each([
    ['depth', `{ node { ${'child { '.repeat(13)} id ${'}'.repeat(13)} } }`],
    ['cost', '{ node { children(first: 1000000000) { edges { node { id } } } } }'],
    ['aliases', `{ ${Array.from({ length: 300 }, (_, n) => `a${n}: __typename`).join(' ')} }`],
    ['length', `{ hello } # ${'x'.repeat(16_000)}`],
    ['syntax', '{ hello'],
  ])('trap 6: the limit of %s holds as over HTTP', async (_, query) => {
    const session = await openSession(edge.url);
    session.send(subscribe('1', query));
    const answer = await session.next(({ id }) => id === '1');
    expect(JSON.stringify(answer)).toMatch(/GRAPHQL_(VALIDATION|PARSE)_FAILED/);
    expect(JSON.stringify(answer)).not.toContain('"http"');
    session.socket.close();
  });

  it('trap 6: no introspection where it is off', async () => {
    const closed = await startEdge({ config: { introspection: false, mode: 'production' } });
    const session = await openSession(closed.url);
    session.send(subscribe('1', '{ __schema { types { name } } }'));
    expect((await session.next(({ id }) => id === '1')).type).toBe('error');
    session.socket.close();
    await closed.stop();
  });

  it.each<[string | undefined, boolean]>([
    [undefined, true],
    ['http://localhost:5173', true],
    ['https://evil.example', false],
    ['null', false],
  ])('origin %s: %s', async (origin, allowed) => {
    const opening = openSocket(edge.url, { headers: origin === undefined ? {} : { origin } });
    const outcome = await opening.then(
      ({ socket }) => socket.close(),
      (error: Error) => error.message,
    );
    expect(outcome).toBe(allowed ? undefined : 'Unexpected server response: 403');
  });

  it('a message that is too long is 1009', async () => {
    const session = await openSession(edge.url);
    session.send('x'.repeat(1_100_000));
    expect(await session.closed).toBe(1009);
  });

  it('a wrong subprotocol is 4406', async () => {
    const socket = new WebSocket(`${edge.url.replace('http', 'ws')}/graphql`);
    expect(await new Promise((resolve) => socket.on('close', resolve))).toBe(4406);
  });

  it('operations per socket, sockets per session and per address are limited', async () => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const session = await openSession(edge.url, 'cid');
    for (let n = 0; n < 6; n++) session.send(subscribe(`${n}`, TICKS, { id: 'a' }));
    expect((await session.next(({ type }) => type === 'error')).payload[0].extensions.code).toBe('RATE_LIMITED');
    expect(edge.seen.live).toBe(5);

    const more = [await openSession(edge.url, 'cid'), await openSession(edge.url, 'cid')];
    const fourth = await openSocket(edge.url);
    fourth.send({ type: 'connection_init', payload: { authorization: 'cid' } });
    expect(await fourth.closed).toBe(1013);

    const many = await Promise.all(Array.from({ length: 17 }, () => openSession(edge.url)));
    expect(await (await openSocket(edge.url)).closed).toBe(1013);
    for (const { socket } of [session, ...more, ...many]) socket.close();
    await Promise.all([session, ...more, ...many].map(({ closed }) => closed));
    (await openSession(edge.url, 'cid')).socket.close();
    await until(() => edge.seen.live === 0);
  });

  it.each(['{', '{"type":"nonsense"}', '{"type":"subscribe","id":"1"}', '[]'])('%s is 4400', async (message) => {
    const session = await openSession(edge.url);
    session.send(message);
    expect(await session.closed).toBe(4400);
  });
});

describe('C7: shutdown', () => {
  it('closes sockets with 1012, ends event streams, finishes answers', async () => {
    const stopping = await startEdge();
    const session = await openSession(stopping.url, 'ann');
    session.send(subscribe('1', TICKS, { id: 'a' }));
    const events = await fetch(`${stopping.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: TICKS, variables: { id: 'a' } }),
    });
    await until(() => stopping.seen.live === 2);
    const started = performance.now();
    const [code] = await Promise.all([session.closed, events.text(), stopping.server.close(5000)]);
    expect(code).toBe(1012);
    expect(stopping.seen.live).toBe(0);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('C45: a subscriber that stops reading', () => {
  it('trap 1: costs little, is cut off, and nobody else notices', { timeout: 40_000 }, async () => {
    const flooded = await startEdge({ limits: { socket: { ...HTTP_LIMITS.socket, pingMs: 1500 } } });
    const socket = await open(flooded.port);
    const write = (text: string) => {
      const mask = randomBytes(4);
      const payload = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
      socket.write(
        Buffer.concat([Buffer.from([0x81, 0xfe, payload.length >> 8, payload.length & 255]), mask, payload]),
      );
    };
    socket.write(
      'GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
    );
    await until(() => socket.received().includes('101 Switching'));
    write(JSON.stringify({ type: 'connection_init', payload: { padding: 'x'.repeat(200) } }));
    await until(() => socket.received().includes('connection_ack'));
    write(JSON.stringify(subscribe('1', TICKS, { id: 'flood' })));
    await until(() => flooded.seen.live === 1);
    socket.pause();

    const reader = await openSession(flooded.url);
    reader.send(subscribe('1', TICKS, { id: 'flood' }));
    await until(() => flooded.seen.live === 2);
    const before = held();
    let grown = 0;
    const started = performance.now();
    let n = 0;
    // Each event is a text of its own, so that what is kept back would show.
    while (flooded.seen.live === 2 && performance.now() - started < 20_000) {
      for (let burst = 0; burst < 10; burst++)
        flooded.bus.publish('tick', 'flood', { n: n++, text: `${n} `.repeat(2000) });
      reader.messages.length = 0;
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (n === 2000) grown = held() - before;
    }
    expect(flooded.seen.live).toBe(1);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(n).toBeGreaterThan(2000);
    expect(grown).toBeLessThan(20e6);
    reader.messages.length = 0;
    flooded.bus.publish('tick', 'flood', { n: -1, text: 'last' });
    await reader.next(({ payload }) => payload?.data.ticks.n === -1);
    reader.socket.close();
    socket.destroy();
    await flooded.stop();
  });
});
