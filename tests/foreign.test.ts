import { getNamedType, getNullableType, isInputObjectType, isListType, type GraphQLInputType } from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { schema } from '../src/schema.ts';
import { RESTORE, startApp, type TestApp } from './helpers/app.ts';
import { graphql } from './helpers/raw-http.ts';
import { openSession } from './helpers/raw-socket.ts';
import { jpeg } from './helpers/service.ts';

let app: TestApp;
let owner: string;
/** Global ids of what the owner has, and an id of the same type that nobody has. */
const things: Record<string, { own: string; missing: string }> = {};
beforeAll(async () => {
  app = await startApp();
  owner = await app.guest();
  const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(980) } }, {}, owner);
  const { photo, restoration } = data.restorePhoto;
  await app.ended(restoration.id, owner);
  const { viewer } = await app.ok('{ viewer { user { id } session { id } } }', {}, owner);
  for (const own of [photo.id, restoration.id, viewer.user.id, viewer.session.id]) {
    const [type = ''] = Buffer.from(own, 'base64').toString().split(':');
    things[type] = { own, missing: Buffer.from(`${type}:019a0000-0000-7000-8000-000000000000`).toString('base64') };
  }
});
afterAll(() => app.close());

const isIds = (type: GraphQLInputType): boolean => getNamedType(type).name === 'ID';
const spelt = (type: GraphQLInputType): string => (isListType(getNullableType(type)) ? '[$id]' : '$id');

/** Every operation of the schema that takes the id of something, whatever comes to the schema later. */
function operations(): { name: string; query: string }[] {
  const found: { name: string; query: string }[] = [];
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  };
  for (const [kind, root] of Object.entries(roots)) {
    for (const field of Object.values(root?.getFields() ?? {})) {
      // Models belong to nobody.
      if (field.name === 'model') continue;
      for (const { name, type } of field.args) {
        const named = getNamedType(type);
        const places = isIds(type)
          ? [`${name}: ${spelt(type)}`]
          : isInputObjectType(named)
            ? Object.values(named.getFields())
                .filter((input) => isIds(input.type) && input.name !== 'modelId')
                .map((input) => `${name}: { ${input.name}: ${spelt(input.type)} }`)
            : [];
        for (const place of places) {
          const query = `${kind} ($id: ID!) { ${field.name}(${place}) { __typename } }`;
          found.push({ name: `${kind} ${field.name}`, query });
        }
      }
    }
  }
  return found;
}

type Ask = (query: string, id: string) => Promise<string>;
const over =
  (token: string | undefined): Ask =>
  async (query, id) => {
    if (!query.startsWith('subscription')) {
      const answer = await graphql(app.url, query, { variables: { id }, ...(token && { token }) });
      return `${answer.status} ${answer.text}`;
    }
    const session = await openSession(app.url, token);
    session.send({ id: '1', type: 'subscribe', payload: { query, variables: { id } } });
    const { type, payload } = await session.next((message) => message.id === '1');
    session.socket.close();
    return `${type} ${JSON.stringify(payload)}`;
  };

it('C36: to a stranger and to nobody, what is foreign is like what is missing, in every operation that takes an id', async () => {
  const all = operations();
  expect(all.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['query node', 'query photos', 'mutation deletePhotos', 'subscription restorationUpdated']),
  );
  const told: unknown[] = [];
  for (const [who, token] of [
    ['a stranger', await app.guest()],
    ['nobody', undefined],
  ] as const) {
    const ask = over(token);
    for (const { name, query } of all) {
      for (const [type, { own, missing }] of Object.entries(things)) {
        const [foreign, none] = [await ask(query, own), await ask(query, missing)];
        if (foreign.replaceAll(own, missing) !== none) told.push({ who, name, type, foreign, none });
        if (/"__typename":"(Photo|Restoration|User|Session)"/.test(foreign)) told.push({ who, name, type, foreign });
      }
    }
  }
  expect(told).toEqual([]);
  // It is all still there, and its owner is told so.
  const ask = over(owner);
  for (const [type, { own }] of Object.entries(things)) {
    expect(await ask('query ($id: ID!) { node(id: $id) { __typename } }', own)).toContain(`"__typename":"${type}"`);
  }
});
