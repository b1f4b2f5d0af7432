import { readFile } from 'node:fs/promises';
import { auditServer } from 'graphql-http';
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from './helpers/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';

async function answerOf(response: Response) {
  const body: any = await response.json();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    allow: response.headers.get('allow'),
    code: body.errors?.[0].extensions.code,
    data: body.data,
  };
}

const get = async (parameters: Record<string, string>, headers: Record<string, string> = {}) =>
  answerOf(await fetch(`${app.url}/graphql?${new URLSearchParams(parameters)}`, { headers }));

describe('GraphQL over HTTP', () => {
  it('passes every audit of graphql-http, MUST, SHOULD and MAY, as anybody and as a guest', async () => {
    const authorization = `Bearer ${await app.guest()}`;
    const asGuest: typeof fetch = (input, init) =>
      fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), authorization } });
    for (const fetchFn of [fetch, asGuest]) {
      const results = await auditServer({ url: `${app.url}/graphql`, fetchFn });
      expect(results.length).toBeGreaterThanOrEqual(60);
      const failed = results.filter(({ status }) => status !== 'ok');
      expect(failed.map((result) => `${result.status}: ${result.id} ${result.name}`)).toEqual([]);
    }
  });

  it('answers queries by GET, with variables and an operation name', async () => {
    const token = await app.guest();
    const query =
      'query A { viewer { user { id } } } query B($id: ID!) { model(id: $id) { id } viewer { user { guest } } }';
    const parameters = { query, operationName: 'B', variables: '{"id":"auto"}' };
    const { status, data } = await get(parameters, { authorization: `Bearer ${token}` });
    expect(status).toBe(200);
    expect(data).toEqual({ model: { id: 'auto' }, viewer: { user: { guest: true } } });
    expect((await get(parameters)).data.viewer).toBeNull();
  });

  it.each(['*/*', 'application/json', 'application/graphql-response+json'])(
    'C39: runs no mutation by GET, alone or beside a query, for whoever takes %s',
    async (accept) => {
      for (const query of [
        'mutation B { startGuestSession { token } }',
        'query A { __typename } mutation B { startGuestSession { token } }',
      ]) {
        const answer = await get({ query, operationName: 'B' }, { accept });
        expect(answer).toMatchObject({ status: 405, allow: 'POST', code: 'BAD_USER_INPUT' });
        expect(answer.data).toBeUndefined();
      }
    },
  );

  it.each<[name: string, headers: Record<string, string>, body: BodyInit]>([
    ['application/x-www-form-urlencoded', {}, new URLSearchParams({ query: '{ __typename }' })],
    ['text/plain', { 'content-type': 'text/plain' }, '{"query":"{ __typename }"}'],
    ['application/graphql', { 'content-type': 'application/graphql' }, '{ __typename }'],
    ['no content type', {}, new Blob(['{"query":"{ __typename }"}'])],
  ])('C40: refuses %s', async (_name, headers, body) => {
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
    const { status, type, code, data } = await answerOf(response);
    expect({ status, type, code, data }).toEqual({
      status: 415,
      type: RESPONSE_TYPE,
      code: 'BAD_USER_INPUT',
      data: undefined,
    });
  });

  it('tells clients by introspection what schema.graphql says', async () => {
    const published = lexicographicSortSchema(buildSchema(await readFile('schema.graphql', 'utf8')));
    const introspected = buildClientSchema(await app.ok(getIntrospectionQuery({ specifiedByUrl: true })));
    expect(printSchema(lexicographicSortSchema(introspected))).toBe(printSchema(published));
  });

  it('C39: tells nothing by introspection in production, where the published schema serves instead', async () => {
    const settings = { NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(40), PUBLIC_URL: 'https://photos.example.org' };
    const production = await startApp(settings);
    try {
      const { data, errors } = await production.request(getIntrospectionQuery());
      expect([data, errors[0]?.extensions.code]).toEqual([undefined, 'GRAPHQL_VALIDATION_FAILED']);
      expect((await production.request('{ viewer { user { id } } }')).data).toEqual({ viewer: null });
    } finally {
      await production.close();
    }
  });
});
