import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEdge, type Edge } from './helpers/edge.ts';
import { graphql, open, send, until } from './helpers/raw-http.ts';

const TICKS = 'subscription ($id: ID!) { ticks(id: $id) { n } }';

let edge: Edge;
let ready = true;
beforeAll(async () => {
  edge = await startEdge({
    health: { live: () => true, ready: async () => ({ ok: ready, checks: { database: ready } }) },
  });
});
afterAll(() => edge.stop());

const preflight = (url: string, origin: string) =>
  send(`${url}/graphql`, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-any',
    },
  });

/** What a request with these headers is told about where it is and who it is. */
async function ask(config: object, headers: Record<string, string>) {
  const other = await startEdge({ config });
  const { json } = await graphql(other.url, '{ baseUrl address }', { headers });
  await other.stop();
  return { ...json.data, own: other.url };
}

/** Follows ticks by server-sent events; resolves when the subscription is live. */
async function follow(token: string, id: string) {
  const response = await fetch(`${edge.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: TICKS, variables: { id } }),
  });
  await until(() => edge.seen.live > 0);
  return response;
}

const codeOf = (answer: { json: any }) => answer.json.errors?.[0]?.extensions?.code;

describe('routes', () => {
  it('health, the start page and nothing else', async () => {
    expect((await send(`${edge.url}/health/live`)).json).toEqual({ ok: true });
    expect((await send(`${edge.url}/health/ready`)).json).toEqual({ ok: true, checks: { database: true } });
    ready = false;
    expect((await send(`${edge.url}/health/ready`)).status).toBe(503);
    ready = true;
    const page = await send(`${edge.url}/`);
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    for (const path of ['/nothing', '/constructor', '/__proto__', '//', '/graphql/x', '/files']) {
      const missing = await send(edge.url + path);
      expect([missing.status, codeOf(missing)]).toEqual([404, 'NOT_FOUND']);
    }
    const wrong = await send(`${edge.url}/health/live`, { method: 'DELETE' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'GET, HEAD']);
  });

  it('GraphiQL needs nothing from elsewhere', async () => {
    const page = await send(`${edge.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(page.status).toBe(200);
    expect(page.text).toContain('YogaGraphiQL');
    expect(page.text).toContain('"subscriptionsProtocol":"WS"');
    expect(page.text).toContain('{ hello }');
    const markup = page.text.replaceAll(/<(script|style)[^>]*>[\s\S]*?<\/\1>/g, '<$1>');
    expect(markup).not.toMatch(/(?:src|href)="?https?:/);
    expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  });
});

describe('what a request is told', () => {
  it('its id: its own where it is harmless', async () => {
    expect(
      (await graphql(edge.url, '{hello}', { headers: { 'x-request-id': 'my-id.1' } })).headers['x-request-id'],
    ).toBe('my-id.1');
    for (const bad of ['x'.repeat(65), 'a b', 'a"b', '{}']) {
      const { headers } = await graphql(edge.url, '{hello}', { headers: { 'x-request-id': bad } });
      expect(headers['x-request-id']).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it('one line of log each, on one line', async () => {
    const before = edge.lines.length;
    await send(`${edge.url}/health/live?secret=1`, { headers: { 'user-agent': 'a\u009B31m' } });
    await until(() => edge.lines.length > before);
    const [line, ...more] = edge.lines.slice(before);
    expect(more).toEqual([]);
    expect(JSON.parse(line!)).toMatchObject({ method: 'GET', path: '/health/live', status: 200, msg: 'request' });
    expect(line).not.toContain('secret');
  });

  it('401 for a bad token, before anything is done', async () => {
    const answer = await graphql(edge.url, 'mutation { touch }', { token: '???' });
    expect([answer.status, codeOf(answer), edge.seen.touched]).toEqual([401, 'UNAUTHENTICATED', 0]);
    expect(answer.headers['content-type']).toBe('application/graphql-response+json; charset=utf-8');
    expect((await graphql(edge.url, '{ whoami }', { token: 'ann' })).json.data.whoami).toBe('ann/session-ann');
    expect((await graphql(edge.url, '{ whoami }', { headers: { authorization: 'Basic abc' } })).json.data.whoami).toBe(
      'anonymous',
    );
  });

  it('compressed where it is worth it', async () => {
    const query = '{ big(bytes: 60000) }';
    const plain = await graphql(edge.url, query);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const br = await graphql(edge.url, query, { headers: { 'accept-encoding': 'gzip, deflate, br' } });
    expect([br.headers['content-encoding'], br.headers.vary]).toEqual(['br', 'Origin, Accept-Encoding']);
    expect(brotliDecompressSync(br.body).toString()).toBe(plain.text);
    const gz = await graphql(edge.url, query, { headers: { 'accept-encoding': 'gzip, br;q=0' } });
    expect(gunzipSync(gz.body).toString()).toBe(plain.text);
    expect(gz.body.length).toBeLessThan(2000);
    const small = await graphql(edge.url, '{ hello }', { headers: { 'accept-encoding': 'br' } });
    expect(small.headers['content-encoding']).toBeUndefined();
  });
});

describe('CORS', () => {
  it('lets the listed origins in, with any header, and no other', async () => {
    const allowed = await preflight(edge.url, 'http://localhost:5173');
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': 'http://localhost:5173',
      'access-control-allow-headers': 'authorization,content-type,x-any',
      vary: 'Origin',
    });
    for (const origin of [
      'https://evil.example',
      'http://localhost.evil.example',
      'null',
      'http://evil.example:80@localhost.evil',
    ]) {
      expect((await preflight(edge.url, origin)).headers['access-control-allow-origin']).toBeUndefined();
    }
    const exact = await startEdge({ config: { corsOrigins: ['https://app.example.org'] } });
    expect((await preflight(exact.url, 'https://app.example.org')).headers['access-control-allow-origin']).toBe(
      'https://app.example.org',
    );
    expect(
      (await preflight(exact.url, 'http://localhost:5173')).headers['access-control-allow-origin'],
    ).toBeUndefined();
    await exact.stop();
  });
});

describe('CORS: which origin may read what', () => {
  it.each<[string[], string, string | undefined]>([
    [['https://app.example.org'], 'https://app.example.org', 'https://app.example.org'],
    [['https://app.example.org/'], 'https://app.example.org', 'https://app.example.org'],
    [['https://app.example.org', 'https://b.example'], 'https://b.example', 'https://b.example'],
    [['https://app.example.org'], 'http://app.example.org', undefined],
    [['https://app.example.org'], 'https://app.example.org:8443', undefined],
    [['https://app.example.org'], 'https://sub.app.example.org', undefined],
    [['https://app.example.org'], 'https://app.example.org.evil.example', undefined],
    [['https://app.example.org'], 'https://evil-app.example.org', undefined],
    [['https://app.example.org'], 'https://app.example.org@evil.example', undefined],
    [['https://app.example.org'], 'https://evil.example/https://app.example.org', undefined],
    [['https://app.example.org'], 'https://app.example.org.', undefined],
    [['https://app.example.org'], 'null', undefined],
    [['https://app.example.org'], 'file://', undefined],
    [['https://app.example.org'], 'data:', undefined],
    [['https://app.example.org'], '*', undefined],
    [['https://app.example.org'], 'http://localhost:5173', undefined],
    [['null'], 'null', undefined],
    [['localhost'], 'http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    [['localhost'], 'http://[::1]:3000', 'http://[::1]:3000'],
    [['localhost'], 'http://localhost.evil.example', undefined],
    [['localhost'], 'http://127.0.0.1.evil.example', undefined],
    [['localhost'], 'null', undefined],
    [['*'], 'https://anything.example', '*'],
    [['*'], 'null', '*'],
    [[], 'https://app.example.org', undefined],
  ])('%j and a page of %s: %s', async (corsOrigins, origin, expected) => {
    const own = await startEdge({ config: { corsOrigins } });
    const answers = [
      await preflight(own.url, origin),
      await graphql(own.url, '{ hello }', { headers: { origin } }),
      await graphql(own.url, '{ nope }', { headers: { origin } }),
      await graphql(own.url, '{ hello }', { headers: { origin }, token: '???' }),
      await send(`${own.url}/files/a?e=1&s=x`, { headers: { origin } }),
      await send(`${own.url}/nowhere`, { headers: { origin } }),
    ];
    for (const { headers } of answers) {
      expect([headers['access-control-allow-origin'], headers['access-control-allow-credentials']]).toEqual([
        expected,
        undefined,
      ]);
      // What one origin was told must not come out of a cache for another.
      expect(headers.vary).toMatch(/^Origin\b/);
    }
    expect(answers[0]!.status).toBe(204);
    expect(answers[0]!.headers['access-control-allow-methods']).toBe(expected && 'GET, HEAD, POST, OPTIONS');
    await own.stop();
  });

  it('a page that may read is told the headers it needs', async () => {
    const { headers } = await graphql(edge.url, '{ hello }', { headers: { origin: 'http://localhost:1' } });
    expect(headers['access-control-expose-headers']).toMatch(/X-Request-Id.*Retry-After.*ETag/);
    expect((await send(`${edge.url}/graphql`, { headers: {} })).headers['access-control-allow-origin']).toBeUndefined();
  });
});

describe('who asks, and where', () => {
  it('headers are believed only where the configuration says so', async () => {
    const forged = {
      host: 'evil.example',
      'x-forwarded-for': '6.6.6.6',
      'x-real-ip': '6.6.6.6',
      'x-forwarded-proto': 'https',
    };
    const plain = await ask({}, forged);
    expect(plain).toMatchObject({ address: '127.0.0.1', baseUrl: plain.own });
    expect(await ask({ publicUrl: 'https://photos.example.org/' }, forged)).toMatchObject({
      baseUrl: 'https://photos.example.org',
    });
    expect(await ask({ trustedHosts: ['evil.example'], trustProxy: true }, forged)).toMatchObject({
      address: '6.6.6.6',
      baseUrl: 'https://evil.example',
    });
    expect(await ask({ trustProxy: true }, { 'x-forwarded-for': '6.6.6.6, 7.7.7.7' })).toMatchObject({
      address: '7.7.7.7',
    });
    expect(await ask({}, { host: 'localhost:4000' })).toMatchObject({ baseUrl: 'http://localhost:4000' });
    const production = await ask({ mode: 'production' }, { host: 'localhost:4000' });
    expect(production.baseUrl).toBe(production.own);
    expect(await ask({}, { host: 'localhost:4000/path"><script>' }).then(({ baseUrl, own }) => baseUrl === own)).toBe(
      true,
    );
  });
});

describe('connections', () => {
  it('headers that never end are cut off', async () => {
    const strict = await startEdge({ limits: { headersMs: 200 } });
    const socket = await open(strict.port);
    socket.write('POST /graphql HTTP/1.1\r\nHost: x\r\n');
    await until(() => socket.readableEnded || socket.destroyed, 5000);
    expect(socket.received()).toMatch(/^(HTTP\/1\.1 408|$)/);
    await strict.stop();
  });

  it('C7: an answer under way is finished, a connection that lingers is not waited for', async () => {
    const stopping = await startEdge({
      health: {
        live: () => true,
        ready: () => new Promise((resolve) => setTimeout(() => resolve({ ok: true, checks: {} }), 300)),
      },
    });
    const idle = await open(stopping.port);
    const answer = send(`${stopping.url}/health/ready`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = performance.now();
    await stopping.server.close(2000);
    expect((await answer).status).toBe(503);
    expect(performance.now() - started).toBeLessThan(1500);
    await expect(send(`${stopping.url}/health/live`)).rejects.toThrow(/ECONNREFUSED|hang up|ECONNRESET/);
    idle.destroy();
  });

  it('stops idle within half a second', async () => {
    const idle = await startEdge();
    await graphql(idle.url, '{ hello }');
    const started = performance.now();
    await idle.server.close(5000);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('server-sent events', () => {
  it('carry subscriptions, and end with the reader', async () => {
    const response = await follow('ann', 'sse');
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('content-encoding')).not.toBe('br');
    edge.bus.publish('tick', 'sse', { n: 42, text: '' });
    const reader = response.body!.getReader();
    let text = '';
    while (!text.includes('42')) text += Buffer.from((await reader.read()).value!).toString();
    expect(text).toContain('event: next\ndata: {"data":{"ticks":{"n":42}}}');
    await reader.cancel();
    await until(() => edge.seen.live === 0);
  });

  it('end when the token expires', async () => {
    const response = await follow(`ann@${Date.now() + 300}`, 'sse');
    const started = Date.now();
    await response.text();
    expect(Date.now() - started).toBeLessThan(1000);
    await until(() => edge.seen.live === 0);
  });

  it('end with the session', async () => {
    const response = await follow('bob', 'sse');
    edge.endSession('session-bob');
    expect(await response.text()).not.toContain('event: next');
    await until(() => edge.seen.live === 0);
  });

  it('are refused with a code like everything else', async () => {
    const response = await fetch(`${edge.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: 'subscription { denied { n } }' }),
    });
    expect(await response.text()).toContain('"code":"NOT_FOUND"');
  });
});
