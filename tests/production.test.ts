import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../src/errors.ts';
import { appForTest, startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { graphql, send } from './helpers/raw-http.ts';
import { openSession } from './helpers/raw-socket.ts';
import { jpeg } from './helpers/service.ts';

const PRODUCTION = { NODE_ENV: 'production', PUBLIC_URL: 'https://photos.example.org' };
const ACCEPT = { accept: 'application/graphql-response+json' };
const ID = Buffer.from('Photo:019a0000-0000-7000-8000-000000000000').toString('base64');

/** Questions that are nearly right, or wrong where only the resolvers notice. */
const WRONG: [string, object?][] = [
  ['{ viewr { user { id } } }'],
  ['{ viewer { usr { id } } }'],
  ['{ viewer { user { id, usernam } } }'],
  ['{ viewer }'],
  ['{ viewer { user { id { x } } } }'],
  [`{ photo(idd: "${ID}") { id } }`],
  ['{ photo { id } }'],
  ['{ photo(id: {}) { id } }'],
  ['{ photos(ids: "x", id: 1) { id } }'],
  ['{ node(id: "x") { originalFilename } }'],
  ['{ node(id: "x") { ... on Phot { id } } }'],
  ['{ node(id: "x") { ... on RestorationStatus { id } } }'],
  ['{ viewer { ... on Photo { id } } }'],
  ['{ ...f } fragment g on Query { __typename }'],
  ['query ($a: Itn) { photo(id: $a) { id } }'],
  ['query ($a: RestorationStatsu) { photo(id: $a) { id } }'],
  ['query ($a: ID) { photo(id: $b) { id } }'],
  ['query ($a: Int) { photo(id: $a) { id } }'],
  ['{ viewer @skipp(if: true) { user { id } } }'],
  ['{ viewer @skip(iff: true) { user { id } } }'],
  ['{ viewer @skip { user { id } } }'],
  ['{ viewer { history(filter: { status: [SUCCEDED] }) { totalCount } } }'],
  ['{ viewer { history(filter: { status: ["SUCCEEDED"] }) { totalCount } } }'],
  ['{ viewer { history(filter: { statuss: [SUCCEEDED] }) { totalCount } } }'],
  ['{ viewer { history(filter: { from: "yesterday" }) { totalCount } } }'],
  ['{ viewer { history(orderBy: NEWST) { totalCount } } }'],
  [
    'query ($s: [RestorationStatus!]) { viewer { history(filter: { status: $s }) { totalCount } } }',
    { s: ['SUCCEDED'] },
  ],
  ['query ($s: RestorationStatus = SUCCEDED) { viewer { history(filter: { status: [$s] }) { totalCount } } }'],
  ['query ($f: HistoryFilter) { viewer { history(filter: $f) { totalCount } } }', { f: { statuss: [] } }],
  ['query ($f: HistoryFilter) { viewer { history(filter: $f) { totalCount } } }', { f: { scope: 'ACCOUNTT' } }],
  ['query ($f: HistoryFilter) { viewer { history(filter: $f) { totalCount } } }', { f: 'ACCOUNT' }],
  ['query ($f: HistoryFilter) { viewer { history(filter: $f) { totalCount } } }', { f: { from: { a: 1 } } }],
  ['query ($n: Int) { viewer { photos(first: $n) { totalCount } } }', { n: -1 }],
  ['query ($n: Int) { viewer { photos(first: $n) { totalCount } } }', { n: 'many' }],
  ['{ viewer { photos(first: 5, last: 5) { totalCount } } }'],
  ['{ viewer { photos(after: "select 1; --") { totalCount } } }'],
  [`{ viewer { photos(after: "${Buffer.from('["\' or 1=1"]').toString('base64')}") { totalCount } } }`],
  ['mutation { logn(input: { username: "a", password: "b" }) { token } }'],
  ['mutation { login(input: { user: "a", password: "b" }) { token } }'],
  ['mutation { login(input: { username: "nobody", password: "wrong horse" }) { token } }'],
  ['mutation { register(input: { username: "!", password: "x" }) { token } }'],
  ['mutation { uploadPhoto(input: { file: "a" }) { photo { id } } }'],
  ['mutation { restorePhoto(input: { photoId: "x", modelId: "nope" }) { photo { id } } }'],
  [`mutation { restorePhoto(input: { photoId: "${ID}", modelId: "aut" }) { photo { id } } }`],
  [`mutation { restorePhoto(input: { photoId: "${ID}", options: { outputFormat: JPG } }) { photo { id } } }`],
  [
    `mutation { restorePhoto(input: { photoId: "${ID}", options: { outputQuality: 900, upscale: 99 } }) { photo { id } } }`,
  ],
  [
    'mutation ($o: RestorationOptionsInput) { restorePhoto(input: { photoId: "x", options: $o }) { photo { id } } }',
    { o: { outputFormat: 'JPGE', metadataPolicyy: 1 } },
  ],
  [
    'mutation ($o: RestorationOptionsInput) { restorePhoto(input: { photoId: "x", options: $o }) { photo { id } } }',
    { o: { parameters: { strenght: 1, strength: 'x' } } },
  ],
  [`mutation { cancelRestoration(input: { id: "${ID}" }) { restoration { id } } }`],
  [`mutation { cancelRestoration(input: { restorationId: "${ID}" }) { restoration { id } } }`],
  ['subscription { restorationUpdatd(id: "x") { cursor } }'],
  [`subscription { restorationUpdated(id: "${ID}") { cursor } }`],
  ['subscription { restorationUpdated(id: "x", aftr: "1") { cursor } }'],
  ['subscription { viewerActivity(after: "\' or 1=1") { cursor } }'],
  ['{ __schema { types { name } } }'],
  ['{ __type(name: "User") { fields { name } } }'],
  ['{ __typenam }'],
  ['{ viewer { user { id } }'],
  ['{ photo(id: "unended) { id } }'],
  ['{ photo(id: "\\q") { id } }'],
  ['qwerty cop { abc }'],
  ['query A { __typename } query A { __typename }'],
];

/** What helps somebody who looks for a way in: names that were not asked for, SQL, code and where it lies, timings. */
const HELPFUL =
  /did you mean|"stack|exception|node_modules|\.ts\b|\bat \S+ \(|file:|\/(?:tmp|home|src|var)\/|\b(?:select|insert|update) .*\b(?:from|into|set)\b|sqlite|constraint|mikro|tracing|graphql-armor|undefined|\[object/i;

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ ...PRODUCTION, LOGIN_ATTEMPTS_PER_MINUTE: '0', RATE_LIMIT_RESTORATIONS_PER_MINUTE: '1000' });
});
afterAll(() => app.close());

interface Told {
  message: string;
  locations?: unknown;
  path?: unknown;
  extensions: Record<string, unknown>;
}

/** The errors of a question over HTTP, as an event stream and over a WebSocket. */
async function toldBy(
  url: string,
  query: string,
  variables: object | undefined,
  token: string,
): Promise<Record<string, Told[]>> {
  const http = await graphql(url, query, { variables, token, headers: ACCEPT });
  const sse = await graphql(url, query, { variables, token, headers: { accept: 'text/event-stream' } });
  const event = /^data: (\{.*\})$/m.exec(sse.text)?.[1] ?? sse.text;
  const session = await openSession(url, token);
  session.send({ id: '1', type: 'subscribe', payload: { query, variables } });
  const { type, payload } = await session.next(({ id }) => id === '1');
  session.socket.close();
  return {
    http: http.json.errors ?? [],
    sse: (JSON.parse(event) as { errors?: Told[] }).errors ?? [],
    socket: type === 'error' ? payload : (payload.errors ?? []),
  };
}

it('C39: no answer in production helps to guess, on any transport; each error has a documented code', async () => {
  const token = await app.guest();
  const wrong: unknown[] = [];
  for (const [query, variables] of WRONG) {
    for (const [where, errors] of Object.entries(await toldBy(app.url, query, variables, token))) {
      if (errors.length === 0) wrong.push({ query, where, errors });
      for (const error of errors) {
        const { message, locations: _locations, path: _path, extensions, ...more } = error;
        const { code, requestId: _id, retryAfter: _after, field: _field, provider: _provider, ...others } = extensions;
        const documented = Object.hasOwn(ERROR_CODES, String(code)) && code !== 'INTERNAL_SERVER_ERROR';
        const quiet = !HELPFUL.test(message.replaceAll(/"[^"]*"/g, '""'));
        if (!documented || !quiet || Object.keys({ ...more, ...others }).length > 0)
          wrong.push({ query, where, error });
      }
    }
  }
  expect(wrong).toEqual([]);
});

it('in development the same questions are answered with what was meant', async () => {
  const development = await appForTest();
  const token = await development.guest();
  let meant = 0;
  for (const [query, variables] of WRONG) {
    const { text } = await graphql(development.url, query, { variables, token, headers: ACCEPT });
    meant += Number(/did you mean/i.test(text));
  }
  expect(meant).toBeGreaterThan(15);
});

it('C39: GraphiQL is off, and other methods than GET and POST are 405', async () => {
  const page = await send(`${app.url}/graphql`, { headers: { accept: 'text/html' } });
  expect([page.status, page.text.includes('<')]).toEqual([406, false]);
  for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE', 'OPTIONS']) {
    const answer = await send(`${app.url}/graphql`, { method });
    expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, 'GET, POST']);
  }
  const mutation = encodeURIComponent('query A { __typename } mutation B { startGuestSession { token } }');
  const answer = await send(`${app.url}/graphql?query=${mutation}&operationName=B`, { headers: ACCEPT });
  expect([answer.status, answer.headers.allow, answer.json.errors[0].extensions.code]).toEqual([
    405,
    'POST',
    'BAD_USER_INPUT',
  ]);
});

describe('C43: limits', () => {
  const LOGIN = 'login(input: { username: "nobody", password: "wrong horse" }) { token }';
  const codesOf = (errors: { extensions: { code: string } }[]) => errors.map(({ extensions }) => extensions.code);

  it('of sign-ins are not got round by aliases, by other connections or by a WebSocket', async () => {
    const limited = await appForTest(PRODUCTION);
    const aliases = Array.from({ length: 12 }, (_, n) => `a${n}: ${LOGIN}`).join(' ');
    const session = await openSession(limited.url);
    session.send({ id: '1', type: 'subscribe', payload: { query: `mutation { ${LOGIN} }` } });
    await session.next(({ id }) => id === '1');
    session.socket.close();
    // Its fields are not null, so the first wrong one ends the whole mutation: one try, however many aliases.
    const many = await graphql(limited.url, `mutation { ${aliases} }`, { headers: ACCEPT });
    expect(codesOf(many.json.errors)).toEqual(['UNAUTHENTICATED']);
    for (let n = 0; n < 3; n++) await limited.request(`mutation { ${LOGIN} }`);
    const next = await graphql(limited.url, `mutation { ${LOGIN} }`, { headers: ACCEPT });
    const { retryAfter } = next.json.errors[0].extensions;
    expect([next.status, codesOf(next.json.errors), next.headers['retry-after']]).toEqual([
      429,
      ['RATE_LIMITED'],
      String(retryAfter),
    ]);
    expect(retryAfter).toBeGreaterThan(0);
    expect(retryAfter).toBeLessThanOrEqual(60);
  });

  it('of uploads go by the user, whatever the socket, session or batch', async () => {
    const limited = await appForTest({ ...PRODUCTION, RATE_LIMIT_MAX_UPLOADS: '2' });
    const REGISTER = 'mutation ($p: String!) { register(input: { username: "anna", password: $p }) { token } }';
    const password = { p: 'correct horse' };
    const first = (await limited.ok(REGISTER, password)).register.token;
    const login = 'mutation ($p: String!) { login(input: { username: "anna", password: $p }) { token } }';
    const second = (await limited.ok(login, password)).login.token;
    for (const [seed, token] of [
      [1, first],
      [2, second],
    ] as const) {
      expect((await limited.upload(UPLOAD, { file: { bytes: await jpeg(960 + seed) } }, {}, token)).errors).toEqual([]);
    }
    for (const token of [first, second]) {
      const refused = await limited.upload(UPLOAD, { file: { bytes: await jpeg(963) } }, {}, token);
      expect([refused.status, codesOf(refused.errors)]).toEqual([429, ['RATE_LIMITED']]);
      expect(Number(refused.headers.get('retry-after'))).toBe(refused.errors[0]!.extensions.retryAfter);
    }
    expect(
      (await limited.upload(UPLOAD, { file: { bytes: await jpeg(963) } }, {}, await limited.guest())).errors,
    ).toEqual([]);
  });
});
