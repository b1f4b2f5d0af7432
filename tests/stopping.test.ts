import { describe, expect, it } from 'vitest';
import { startEdge } from './helpers/edge.ts';
import { graphql, open, send, until } from './helpers/raw-http.ts';
import { openSession } from './helpers/raw-socket.ts';

const slowly = (ms: number) => ({
  live: () => true,
  ready: () =>
    new Promise<{ ok: boolean; checks: {} }>((resolve) => setTimeout(() => resolve({ ok: true, checks: {} }), ms)),
});
const post = (body: string) =>
  `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('C7: what comes while the service stops', () => {
  it('over HTTP is SHUTTING_DOWN, and the answer under way still comes', async () => {
    const edge = await startEdge({ health: slowly(300) });
    const socket = await open(edge.port);
    socket.write('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const stopped = edge.server.close(5000);
    socket.write(post('{"query":"mutation { touch }"}'));
    await until(() => socket.received().includes('SHUTTING_DOWN'), 2000);
    expect(socket.received().match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 503', 'HTTP/1.1 503']);
    expect(socket.received()).toMatch(/Retry-After: 5\r\n/i);
    expect(edge.seen.touched).toBe(0);
    await stopped;
    await edge.stop();
  });

  it('over a socket is not begun, and the socket ends with 1012', async () => {
    const edge = await startEdge();
    const session = await openSession(edge.url, 'ann');
    const stopped = edge.server.close(5000);
    session.send({ type: 'subscribe', id: '1', payload: { query: 'mutation { touch }' } });
    expect(await session.closed).toBe(1012);
    await stopped;
    expect(edge.seen.touched).toBe(0);
    await edge.stop();
  });
});

describe('what a client and a log are told', () => {
  it('a type of answer that there is not is 406 with a code', async () => {
    const edge = await startEdge();
    const answer = await graphql(edge.url, '{ hello }', { headers: { accept: 'image/png' } });
    expect([answer.status, answer.json.errors[0].extensions.code]).toEqual([406, 'BAD_USER_INPUT']);
    await edge.stop();
  });

  it('every line of a request bears its id once, also those that services write', async () => {
    const edge = await startEdge({
      contextFor: (facts) => {
        facts.log.info('a service at work');
        return facts;
      },
    });
    await send(`${edge.url}/graphql?query=%7Bhello%20crash%7D`, { headers: { 'x-request-id': 'find-me' } });
    const session = await openSession(edge.url, 'ann');
    session.send({ type: 'subscribe', id: '1', payload: { query: '{ hello }' } });
    await session.next(({ type }) => type === 'next');
    await until(() => edge.lines.some((line) => line.includes('"msg":"request"')));
    const messages = edge.lines.filter((line) => line.includes('find-me')).map((line) => JSON.parse(line).msg);
    expect(messages.toSorted()).toEqual(['a service at work', 'request', 'request failed']);
    const served = edge.lines.filter((line) => line.includes('a service at work'));
    expect(served).toHaveLength(2);
    for (const line of edge.lines) expect(line.match(/"requestId":"[^"]+"/g)).toHaveLength(1);
    session.socket.close();
    await edge.stop();
  });
});
