import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { startEdge, type Edge } from './helpers/edge.ts';
import { until } from './helpers/raw-http.ts';
import { FIN, frame, openBareSocket, OPCODE, type BareSocket } from './helpers/raw-frames.ts';
import { openSession, openSocket } from './helpers/raw-socket.ts';

const TICKS = 'subscription ($id: ID!) { ticks(id: $id) { n text } }';
const INIT = { type: 'connection_init' };
const follow = (id: string) => ({ type: 'subscribe', id, payload: { query: TICKS, variables: { id: 'a' } } });
const long = (n: number, more: object) => ({ type: 'subscribe', id: `${n}`, payload: { query: TICKS, ...more } });
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const TEXT = FIN | OPCODE.text;

let edge: Edge;
async function start(overrides: Parameters<typeof startEdge>[0] = {}): Promise<Edge> {
  edge = await startEdge(overrides);
  const { stop } = edge;
  onTestFinished(() => stop());
  return edge;
}
// Whatever a client does is no fault of ours: nothing is logged as one.
afterEach(() => {
  const errors = edge.lines.filter((line) => Number(JSON.parse(line).level) >= 50);
  if (errors.length > 0) throw new Error(errors.join(''));
});

/** A bare socket and what became of it. */
async function bare(): Promise<BareSocket & { code: Promise<number | 'gone'>; texts: string[] }> {
  const texts: string[] = [];
  const { promise: code, resolve } = Promise.withResolvers<number | 'gone'>();
  const opened = await openBareSocket(edge.url, {
    onFrame(opcode, payload) {
      if (opcode === OPCODE.text) texts.push(String(payload));
      if (opcode === OPCODE.close) resolve(payload.readUInt16BE(0));
    },
  });
  opened.socket.once('close', () => resolve('gone'));
  onTestFinished(() => void opened.socket.destroy());
  return { ...opened, code, texts };
}

describe('C37: messages that no client of ours would send', () => {
  it.each(['connection_init', 'ping'])('a payload of %s that is nested 30,000 deep is 4400', async (type) => {
    await start();
    const raw = await openSocket(edge.url);
    if (type === 'ping') raw.send(INIT);
    raw.send(`{"type":"${type}","payload":${nested(30_000)}}`);
    expect(await raw.closed).toBe(4400);
  });

  it('a ping gets its payload back', async () => {
    await start();
    const session = await openSession(edge.url);
    session.send({ type: 'ping', payload: { a: { b: 1 } } });
    expect(await session.next(({ type }) => type === 'pong')).toEqual({ type: 'pong', payload: { a: { b: 1 } } });
    session.send({ type: 'ping' });
    await until(() => session.messages.filter(({ type }) => type === 'pong').length === 2);
    session.socket.terminate();
  });

  it.each<[string, number, object[]]>([
    ['subscribe before init', 4401, [follow('1')]],
    ['a second init', 4429, [INIT, INIT]],
  ])('%s is %i', async (_, code, messages) => {
    await start();
    const raw = await openSocket(edge.url);
    for (const message of messages) raw.send(message);
    expect(await raw.closed).toBe(code);
  });

  it('an id that is in use is 4409, and its operation ends with the socket', async () => {
    await start();
    const session = await openSession(edge.url);
    session.send(follow('1'));
    await until(() => edge.seen.live === 1);
    session.send(follow('1'));
    expect(await session.closed).toBe(4409);
    await until(() => edge.seen.live === 0);
  });

  it('an id may be used again once its operation is over', async () => {
    await start();
    const session = await openSession(edge.url);
    for (let round = 1; round <= 3; round++) {
      session.send(follow('1'));
      await until(() => edge.seen.live === 1);
      session.send({ type: 'complete', id: '1' });
      await until(() => edge.seen.live === 0);
    }
    expect(session.socket.readyState).toBe(session.socket.OPEN);
    session.socket.terminate();
  });

  it('a thousand subscriptions on one socket: a hundred stand, the rest is told to wait, and all go with it', async () => {
    await start();
    const session = await openSession(edge.url, 'ann');
    for (let n = 0; n < 1000; n++) session.send(follow(`${n}`));
    const refused = () => session.messages.filter(({ type }) => type === 'error');
    await until(() => refused().length === 900);
    expect(new Set(refused().map(({ payload }) => payload[0].extensions.code))).toEqual(new Set(['RATE_LIMITED']));
    expect(edge.seen.live).toBe(100);
    session.socket.terminate();
    await until(() => edge.seen.live === 0);
  });

  it('300 sockets that never init: a hundred are let in, all are gone within 4 s, and others come in again', async () => {
    await start();
    const began = performance.now();
    const raw = await Promise.all(Array.from({ length: 300 }, () => openSocket(edge.url)));
    const codes = await Promise.all(raw.map(({ closed }) => closed));
    expect(codes.filter((code) => code === 4408)).toHaveLength(100);
    expect(codes.filter((code) => code === 1013)).toHaveLength(200);
    expect(performance.now() - began).toBeLessThan(4500);
    (await openSession(edge.url)).socket.terminate();
  });
});

describe('C37: frames that no client of ours would send', () => {
  it.each<[string, number, Buffer[]]>([
    ['an unmasked frame', 1002, [frame(TEXT, '{"type":"ping"}', false)]],
    ['a compressed frame', 1002, [frame(TEXT | 0x40, '{"type":"ping"}')]],
    ['an unknown opcode', 1002, [frame(FIN | 3, 'x')]],
    ['a ping in pieces', 1002, [frame(OPCODE.ping, 'x')]],
    ['a long ping', 1002, [frame(FIN | OPCODE.ping, 'x'.repeat(126))]],
    ['a continuation of nothing', 1002, [frame(FIN | OPCODE.continuation, 'x')]],
    ['a new message within another', 1002, [frame(OPCODE.text, '{'), frame(TEXT, '{}')]],
    ['text that is no UTF-8', 1007, [frame(TEXT, Buffer.from([0xc3, 0x28]))]],
    ['binary that is no JSON', 4400, [frame(FIN | OPCODE.binary, Buffer.from([0, 1, 2, 255]))]],
    ['1 MB and a bit', 1009, [frame(TEXT, 'x'.repeat(1_048_577))]],
    ['a length of 2^62', 1009, [Buffer.from([TEXT, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0])]],
    ['pieces that go on and on', 1009, Array.from({ length: 300 }, (_, n) => frame(n === 0 ? 1 : 0, 'x'.repeat(1000)))],
    ['empty pieces that go on and on', 1008, Array.from({ length: 20_000 }, (_, n) => frame(n === 0 ? 1 : 0, ''))],
  ])('%s is %i', async (_, code, frames) => {
    await start();
    const { socket, send, code: closed, texts } = await bare();
    send(INIT);
    await until(() => texts.length === 1);
    socket.write(Buffer.concat(frames));
    expect(await closed).toBe(code);
  });

  it.each<[string, (n: number) => object]>([
    ['an id', (n) => ({ ...follow(String(n).padEnd(100_000, 'x')) })],
    ['variables that no operation bears', (n) => long(n, { variables: { id: 'a', more: 'x'.repeat(100_000) } })],
    ['extensions', (n) => long(n, { variables: { id: 'a' }, extensions: { more: 'x'.repeat(100_000) } })],
  ])('subscriptions that are kept are short together, whatever is long: %s', async (_, message) => {
    await start();
    const session = await openSession(edge.url);
    for (let n = 0; n < 3; n++) session.send(message(n));
    const refused = await session.next(({ type }) => type === 'error');
    expect(refused.payload[0].extensions.code).toBe('RATE_LIMITED');
    // Two fit, and go on; once one ends there is room.
    const ids = Array.from({ length: 2 }, (__, n) => (message(n) as { id: string }).id);
    expect(refused.id).not.toBe(ids[0]);
    session.send({ type: 'complete', id: ids[0]! });
    session.send({ ...message(4), id: 'again' });
    session.send({ type: 'complete', id: ids[1]! });
    session.send({ type: 'subscribe', id: 'after', payload: { query: '{ hello }' } });
    await session.next(({ id, type }) => id === 'after' && type === 'complete');
    expect(session.messages.filter(({ type }) => type === 'error')).toHaveLength(1);
    session.socket.terminate();
  });

  it('compression is not agreed to, so there is nothing to inflate', async () => {
    await start();
    const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
    const { handshake, socket } = await openBareSocket(edge.url, { headers });
    expect(handshake).toContain('101 Switching Protocols');
    expect(handshake).not.toMatch(/extensions|deflate/i);
    socket.destroy();
  });

  it.each<[string, Buffer]>([
    ['pings of the protocol', frame(FIN | OPCODE.ping, 'x'.repeat(125))],
    ['pings of a client', frame(TEXT, JSON.stringify({ type: 'ping', payload: { a: 'x'.repeat(50_000) } }))],
  ])('a flood of %s without reading a pong: cut off, bounded, and nobody else waits', async (_, ping) => {
    await start();
    const reader = await openSession(edge.url);
    const { socket, send, texts } = await bare();
    send(INIT);
    await until(() => texts.length === 1);
    socket.pause();
    const burst = Buffer.concat(Array.from({ length: Math.ceil(1e6 / ping.length) }, () => ping));
    const before = process.memoryUsage.rss();
    let slowest = 0;
    let bursts = 0;
    for (; bursts < 60 && !socket.destroyed; bursts++) {
      socket.write(burst);
      const asked = performance.now();
      reader.send({ type: 'subscribe', id: `${bursts}`, payload: { query: '{ hello }' } });
      await reader.next(({ id, type }) => id === `${bursts}` && type === 'complete');
      slowest = Math.max(slowest, performance.now() - asked);
    }
    await until(() => socket.destroyed);
    expect(bursts).toBeLessThan(60);
    expect(slowest).toBeLessThan(1000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(150e6);
    reader.socket.terminate();
  });
});
