import { getIntrospectionQuery, Kind, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import * as CLI from '../src/cli/documents.ts';
import { costOf } from '../src/graphql/cost.ts';
import { perContext } from '../src/graphql/loader.ts';
import { OPERATION_LIMITS } from '../src/graphql/plugins.ts';
import { schema } from '../src/schema.ts';
// @ts-expect-error a script of the page, without types.
import * as WEB from '../src/web/documents.js';
import { GRAPHIQL_TABS } from '../src/web/graphiql-tabs.ts';
import { appForTest, UPLOAD } from './helpers/app.ts';
import { send, until } from './helpers/raw-http.ts';
import { openSession, type RawSocket } from './helpers/raw-socket.ts';
import { jpeg } from './helpers/service.ts';

function cost(query: string, variables: Record<string, unknown> = {}): number {
  const document = parse(query);
  expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
  return costOf({ schema, document, variables });
}

const chain = (levels: number): string =>
  `{ photo(id: "x") { ${'restorations { photo { '.repeat(levels)} id ${'} }'.repeat(levels)} } }`;

describe('C38: what an operation costs', () => {
  it.each<[string, string, object, number]>([
    ['a field', '{ viewer { user { id } } }', {}, 3],
    ['a list that says no size, as a page', '{ restoration(id: "x") { runs { number provider } } }', {}, 2 + 20 * 2],
    ['restorations, as many as there can be', '{ photo(id: "x") { restorations { id status } } }', {}, 2 + 100 * 2],
    ['lists in lists, by their product', chain(2), {}, 2 + 100 * (1 + 1 + 100 * (1 + 1))],
    ['a connection, its edges with it', '{ viewer { photos { edges { node { id } } } } }', {}, 2 + 20 * 3],
    ['the rows that are asked for', '{ viewer { photos(first: 7) { edges { cursor } } } }', {}, 2 + 7 * 2],
    ['… by variable', 'query ($n: Int) { viewer { photos(last: $n) { edges { cursor } } } }', { n: 9 }, 2 + 9 * 2],
    ['… by its default', 'query ($n: Int = 90) { viewer { photos(first: $n) { edges { cursor } } } }', {}, 2 + 90 * 2],
    ['as many as ids', '{ photos(ids: ["a", "b", "c"]) { id } }', {}, 1 + 3],
    ['… by variable', 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: ['a', 'b'] }, 1 + 2],
    ['a list of scalars, as a field', '{ models { options upscales } }', {}, 1 + 20 * 2],
    ['a file that may have to be made', '{ photo(id: "x") { rendition(name: ORIGINAL) { url } } }', {}, 1 + 1001 + 1],
    [
      '… by variable',
      'query ($n: RenditionName!) { photo(id: "x") { rendition(name: $n) { url } } }',
      { n: 'ORIGINAL' },
      1 + 1001 + 1,
    ],
    ['one that is there', '{ photo(id: "x") { rendition(name: LARGE) { url } } }', {}, 3],
    ['introspection', '{ __schema { types { fields { name } } } }', {}, 1],
  ])('%s', (_, query, variables, expected) => {
    expect(cost(query, variables as Record<string, unknown>)).toBe(expected);
  });

  it('refuses photos of restorations of photos, before anything is read', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(800) } }, {}, token);
    const query = chain(5).replace('"x"', JSON.stringify(data.uploadPhoto.photo.id));
    const { status, errors } = await app.request(query, {}, token);
    expect([status, errors[0]?.extensions.code]).toEqual([400, 'GRAPHQL_VALIDATION_FAILED']);
    expect((await app.request(chain(2), {}, token)).errors).toEqual([]);
  });

  it.each<[string, string[]]>([
    ['the page', Object.values(WEB as Record<string, string>)],
    ['GraphiQL', GRAPHIQL_TABS.map(({ query }) => query)],
    ['the command line', Object.values(CLI).map(String)],
    ['introspection', [getIntrospectionQuery()]],
  ])('leaves room for %s', (_, queries) => {
    expect(queries.length).toBeGreaterThan(0);
    for (const query of queries) {
      const document = parse(query);
      for (const definition of document.definitions) {
        if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
        const variables = { first: 100 };
        const operationName = definition.name?.value;
        expect(costOf({ schema, document, operationName, variables })).toBeLessThan(OPERATION_LIMITS.cost / 2);
      }
    }
  });
});

describe('C38: what the subscriptions of one user cost together', () => {
  const row = 'photo { restorations { id status renditions { name url } } }';
  // 2 + 100 × (3 + 20 × 2) = 4302 each, so eleven fit.
  const dear = (n: number) => ({
    id: `${n}`,
    type: 'subscribe',
    payload: { query: `subscription { viewerActivity { ${row} } }` },
  });
  const refusals = ({ messages }: RawSocket) => messages.filter(({ payload }) => payload?.errors !== undefined);

  it('has a bound over all sockets, and room again when they end; others have their own', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const first = await openSession(app.url, token);
    for (let n = 0; n < 8; n++) first.send(dear(n));
    const second = await openSession(app.url, token);
    for (let n = 0; n < 4; n++) second.send(dear(n));
    const refused = await second.next(({ payload }) => payload?.errors !== undefined);
    expect([refused.id, refused.payload.errors[0].extensions.code]).toEqual(['3', 'RATE_LIMITED']);
    expect(refusals(first)).toEqual([]);

    const other = await openSession(app.url, await app.guest());
    other.send(dear(0));
    other.send({ id: 'q', type: 'subscribe', payload: { query: '{ models { id } }' } });
    await other.next(({ id, type }) => id === 'q' && type === 'complete');
    expect(refusals(other)).toEqual([]);

    // As an event stream as well, also one that is answered with 406.
    const query = dear(0).payload.query;
    const follow = (accept: string) =>
      send(`${app.url}/graphql`, {
        method: 'POST',
        headers: { accept, 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query }),
      });
    expect((await follow('text/event-stream')).text).toContain('RATE_LIMITED');
    first.socket.terminate();
    second.send({ type: 'complete', id: '0' });
    for (let n = 0; n < 30; n++) expect((await follow('image/png')).status).toBe(406);
    await until(async () => {
      const again = await openSession(app.url, token);
      for (let n = 0; n < 9; n++) again.send(dear(n));
      again.send({ id: 'q', type: 'subscribe', payload: { query: '{ models { id } }' } });
      await again.next(({ id, type }) => id === 'q' && type === 'complete');
      again.socket.terminate();
      return refusals(again).length === 0;
    });
    for (const { socket } of [second, other]) socket.terminate();
  });
});

it('a loader asks for each key of a tick once, and answers all who asked', async () => {
  const asked: (readonly string[])[] = [];
  const load = perContext(async (_context: object, keys) => {
    asked.push(keys);
    return keys.map((key) => key.toUpperCase());
  });
  const context = {};
  expect(await Promise.all(['a', 'b', 'a', 'c', 'b'].map((key) => load(context, key)))).toEqual([...'ABACB']);
  expect(asked).toEqual([['a', 'b', 'c']]);
  expect(await load(context, 'a')).toBe('A');
  expect(asked.length).toBe(2);
});
