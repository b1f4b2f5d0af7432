import { createSchema } from 'graphql-yoga';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_LIMITS } from '../src/http/limits.ts';
import { createOperations, type Connection } from '../src/http/socket-operations.ts';
import { createGraphQL } from '../src/graphql/server.ts';
import { createLog } from '../src/log.ts';
import { startEdge, type Edge } from './helpers/edge.ts';
import { graphql, multipartBody, postMultipart, until } from './helpers/raw-http.ts';
import { openSession, openSocket } from './helpers/raw-socket.ts';

const TICKS = 'subscription ($id: ID!) { ticks(id: $id) { n } }';

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({ limits: { openConnections: { perAddress: 8, perSession: 3 } } });
});
afterAll(() => edge.stop());

async function follow(token: string | null): Promise<{ status: number; text: Promise<string>; end(): void }> {
  const controller = new AbortController();
  const response = await fetch(`${edge.url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query: TICKS, variables: { id: 'a' } }),
    signal: controller.signal,
  });
  const text = response.text();
  text.catch(() => {});
  return { status: response.status, text, end: () => controller.abort() };
}

describe('C37: what stays open has an end', () => {
  it('event streams and sockets of a session share its places', async () => {
    const session = await openSession(edge.url, 'ann');
    const streams = [await follow('ann'), await follow('ann')];
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    const refused = await follow('ann');
    expect(refused.status).toBe(429);
    expect(await refused.text).toContain('RATE_LIMITED');
    await until(() => edge.seen.live === 2);

    const fourth = await openSocket(edge.url);
    fourth.send({ type: 'connection_init', payload: { authorization: 'ann' } });
    expect(await fourth.closed).toBe(1013);
    expect((await graphql(edge.url, '{ hello }', { token: 'ann' })).json.data).toEqual({ hello: 'hello' });

    for (const { end } of streams) end();
    session.socket.close();
    await until(() => edge.seen.live === 0);
    const again = await follow('ann');
    expect(again.status).toBe(200);
    again.end();
    await until(() => edge.seen.live === 0);
  });

  it('300 streams of one address: those that fit, and the rest is told to wait', async () => {
    const streams = await Promise.all(Array.from({ length: 300 }, () => follow(null)));
    expect(streams.filter(({ status }) => status === 200)).toHaveLength(8);
    expect(streams.filter(({ status }) => status === 429)).toHaveLength(292);
    await until(() => edge.seen.live === 8);
    for (const { end } of streams) end();
    await until(() => edge.seen.live === 0);
  });
});

it('an operation that does not validate leaves nothing behind on its socket', async () => {
  const engine = createGraphQL({
    schema: createSchema({ typeDefs: 'type Query { hello: String }' }),
    log: createLog('silent'),
    contextFor: (facts) => facts,
    bodies: {},
    graphiql: false,
    introspection: true,
  });
  const { hooks } = createOperations(engine, { operations: 5, messageBytes: 1000 });
  const operations: Connection['operations'] = new Map();
  const connection = { operations, arrived: 20, log: createLog('silent'), socket: { readyState: 1, OPEN: 1 } };
  for (const [index, query] of ['{ nope }', '{ hello', '{ hello }'].entries()) {
    const context = { extra: { connection }, subscriptions: {} } as any;
    await hooks.onSubscribe?.(context, `${index}`, { query });
  }
  expect([...operations.keys()]).toEqual(['2']);
});

it('a request carries no more files than a mutation can take, and one to spare', async () => {
  expect(HTTP_LIMITS.files).toBe(2);
  const names = ['a', 'b', 'c'];
  const query = `mutation (${names.map((name) => `$${name}: Upload!`)}) {
    ${names.map((name) => `${name}: ignore(file: $${name})`).join(' ')} }`;
  const files = names.map((name) => ({ path: `variables.${name}`, content: Buffer.alloc(10) }));
  const answer = await postMultipart(edge.url, multipartBody(query, { a: null, b: null, c: null }, files));
  expect([answer.status, answer.json.errors[0].extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
});
