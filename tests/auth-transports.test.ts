import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, exportJWK, SignJWT, type JWTHeaderParameters } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApp, type TestApp } from './helpers/app.ts';
import { CANARY_ENV } from './helpers/canaries.ts';
import { graphql, send } from './helpers/raw-http.ts';
import { openSession, openSocket } from './helpers/raw-socket.ts';

// Tokens are the service's own, HS256 with its own secret: there is no key set to fetch, so of C35 what is about JWKS
// does not apply. `auth-tokens.test.ts` has every forgery; here the kinds of them knock at each door.

let app: TestApp;
let good: string;
beforeAll(async () => {
  app = await startApp();
  good = await app.guest();
});
afterAll(() => app.close());

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = (): number => Math.floor(Date.now() / 1000);
const sign = (
  claims: object = {},
  header: Partial<JWTHeaderParameters> = {},
  key: Parameters<SignJWT['sign']>[0] = Buffer.from(CANARY_ENV.JWT_SECRET),
): Promise<string> =>
  new SignJWT(JSON.parse(JSON.stringify({ ...decodeJwt(good), ...claims })))
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header })
    .sign(key);
const unsigned = (alg: string): string => `${encode({ alg, typ: 'at+jwt' })}.${encode(decodeJwt(good))}.`;

const FORGED: Record<string, () => string | Promise<string>> = {
  'alg none': () => unsigned('none'),
  'alg NONE': () => unsigned('NONE'),
  'HS256 with an RSA public key': () =>
    sign({}, {}, Buffer.from(rsa.publicKey.export({ type: 'spki', format: 'pem' }))),
  RS256: () => sign({}, { alg: 'RS256' }, rsa.privateKey),
  'the key of another installation': () => sign({}, {}, Buffer.from(CANARY_ENV.URL_SIGNING_KEYS)),
  'another iss': () => sign({ iss: 'someone' }),
  'another aud': () => sign({ aud: 'other-api' }),
  'another typ': () => sign({}, { typ: 'JWT' }),
  'no exp': () => sign({ exp: undefined }),
  'exp 60 s ago': () => sign({ exp: now() - 60 }),
  'nbf in 60 s': () => sign({ nbf: now() + 60 }),
  'iat in 60 s': () => sign({ iat: now() + 60 }),
  'kid that is a path': () => sign({}, { kid: '../../../../dev/null' }, Buffer.alloc(1)),
  'kid that is SQL': () => sign({}, { kid: "' union select 'key" }, Buffer.from('key')),
  'a key of its own in jwk': async () =>
    sign({}, { alg: 'RS256', jwk: await exportJWK(rsa.publicKey) }, rsa.privateKey),
  'a key of its own behind jku and x5u': () =>
    sign({}, { jku: 'http://127.0.0.1:9/', x5u: 'http://127.0.0.1:9/' }, Buffer.from('key')),
  'an unknown critical header': () =>
    new SignJWT({ ...decodeJwt(good) })
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', crit: ['x-a'], 'x-a': 1 })
      .sign(Buffer.from(CANARY_ENV.JWT_SECRET), { crit: { 'x-a': true } }),
  'another user': () => sign({ sub: '019a0000-0000-7000-8000-000000000000' }),
  'no session': () => sign({ sid: '019a0000-0000-7000-8000-000000000000' }),
  'a token of 12 KB': () => sign({ guest: 'x'.repeat(9000) }),
  'no token': () => 'undefined',
};

const QUERY = '{ viewer { user { id } } }';
const REFUSED = {
  errors: [
    {
      message: 'Not signed in, or the sign-in is no longer valid. Sign in again.',
      extensions: { code: 'UNAUTHENTICATED' },
    },
  ],
};

/** The code with which a socket closes that introduces itself like this. */
async function closeCode(payload: object): Promise<number> {
  const socket = await openSocket(app.url);
  socket.send({ type: 'connection_init', payload });
  return socket.closed;
}

it.each(Object.entries(FORGED))(
  'C35: %s is refused over HTTP and SSE with one and the same 401, over a WebSocket with 4403',
  async (_, make) => {
    const token = await make();
    for (const accept of ['application/json', 'application/graphql-response+json', 'text/event-stream', '*/*']) {
      const answer = await graphql(app.url, QUERY, { token, headers: { accept } });
      expect([answer.status, answer.json]).toEqual([401, REFUSED]);
    }
    const get = await send(`${app.url}/graphql?query=${encodeURIComponent(QUERY)}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect([get.status, get.json]).toEqual([401, REFUSED]);
    expect(await closeCode({ authorization: `Bearer ${token}` })).toBe(4403);
    expect(await closeCode({ authorization: token })).toBe(4403);
  },
);

it('C35: a token of 100 KB is refused: over a WebSocket with 4403, as a header before anything reads it', async () => {
  const token = `${'a'.repeat(50_000)}.${'a'.repeat(49_998)}.a`;
  // Headers of more than 16 KB are 431 and the end of the connection, which may come before the answer is read.
  const answer = await graphql(app.url, QUERY, { token }).catch((error: { code?: string }) => error.code);
  expect(typeof answer === 'object' ? answer.status : answer).toSatisfy((is) =>
    [431, 'ECONNRESET', 'EPIPE'].includes(is),
  );
  expect(await closeCode({ authorization: `Bearer ${token}` })).toBe(4403);
  expect((await graphql(app.url, QUERY, { token: good })).status).toBe(200);
});

it('C35: clocks may differ by half a minute', async () => {
  for (const claims of [{ exp: now() - 20 }, { nbf: now() + 20 }, { iat: now() + 20 }, { exp: now() + 60 }]) {
    const { json } = await graphql(app.url, QUERY, { token: await sign(claims) });
    expect(json.data.viewer.user.id).toBeTruthy();
  }
});

it('C35: a credential of another kind is a bad one, not none; what a proxy in front asks for is none', async () => {
  for (const authorization of ['Token abc', `JWT ${good}`, `Bearer ${good} x`, `Bearer: ${good}`, `bearer\t${good}x`]) {
    const answer = await graphql(app.url, QUERY, { headers: { authorization } });
    expect([authorization, answer.status, answer.json]).toEqual([authorization, 401, REFUSED]);
  }
  for (const authorization of ['', 'Bearer', 'Basic dXNlcjpwYXNz', 'Digest username="u"', 'Negotiate YII=']) {
    const answer = await graphql(app.url, QUERY, { headers: { authorization } });
    expect([authorization, answer.status, answer.json.data]).toEqual([authorization, 200, { viewer: null }]);
  }
  for (const authorization of [1, {}, [good], true]) expect(await closeCode({ authorization })).toBe(4403);
  for (const authorization of [null, '', 'Bearer ']) {
    const socket = await openSocket(app.url);
    socket.send({ type: 'connection_init', payload: { authorization } });
    expect((await socket.next(({ type }) => type === 'connection_ack')).type).toBe('connection_ack');
    socket.socket.close();
  }
  const session = await openSession(app.url, good);
  session.send({ id: '1', type: 'subscribe', payload: { query: QUERY } });
  expect((await session.next(({ id }) => id === '1')).payload.data.viewer.user.id).toBeTruthy();
  session.socket.close();
});
