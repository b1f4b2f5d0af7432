import { createYoga } from 'graphql-yoga';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { builder } from '../src/graphql/builder.ts';
import type { GraphQLContext } from '../src/graphql/context.ts';
import { createAuthWorld, type AuthWorld } from './helpers/auth.ts';

// What each adds to the builder when it is loaded.
await import('../src/graphql/scalars.ts');
await import('../src/auth/mutations.ts');
// A subscription type without a field makes no valid schema.
builder.subscriptionField('nothing', (t) => t.boolean({ subscribe: async function* () {}, resolve: () => true }));
const schema = builder.toSchema();

let world: AuthWorld;
beforeEach(async () => {
  world = await createAuthWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

async function ask(query: string, variables: object = {}, token?: string) {
  const yoga = createYoga<object, GraphQLContext>({
    schema,
    logging: false,
    maskedErrors: false,
    context: async ({ request }) => {
      const bearer = request.headers.get('authorization')?.replace('Bearer ', '');
      const { actor } = await world.auth.authenticate(bearer, '192.0.2.1');
      const services = { auth: world.auth } as unknown as GraphQLContext['services'];
      return { ...world.ctx(actor), services, baseUrl: 'http://localhost' };
    },
  });
  const response = await yoga.fetch('http://localhost/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'Album/1.0',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as { data: any; errors?: { message: string; originalError?: unknown }[] };
}

const AUTH = `{ token expiresAt session { id current userAgent createdAt lastAccessedAt } user { id username guest role } }`;

it('walks from a guest to an account and out again', async () => {
  const guest = (await ask(`mutation { startGuestSession ${AUTH} }`)).data.startGuestSession;
  expect(guest).toMatchObject({
    session: { current: true, userAgent: 'Album/1.0' },
    user: { username: null, guest: true, role: 'USER' },
  });
  expect(Buffer.from(guest.user.id, 'base64').toString()).toMatch(/^User:[0-9a-f-]{36}$/);

  const register = `mutation ($input: RegisterInput!) { register(input: $input) ${AUTH} }`;
  const account = (await ask(register, { input: { username: 'Anna', password: 'correct horse' } }, guest.token)).data
    .register;
  expect(account.user).toEqual({ ...guest.user, username: 'anna', guest: false });

  const login = `mutation ($input: LoginInput!) { login(input: $input) ${AUTH} }`;
  const again = (await ask(login, { input: { username: 'ANNA', password: 'correct horse' } })).data.login;
  expect(again.user.id).toBe(guest.user.id);

  const refreshed = (await ask(`mutation { refreshSession ${AUTH} }`, {}, again.token)).data.refreshSession;
  expect(refreshed.session).toMatchObject({ id: again.session.id, current: true });

  const viewer = `{ viewer { user { id } session { id current } sessions { id current } } }`;
  expect((await ask(viewer, {}, refreshed.token)).data.viewer).toEqual({
    user: { id: guest.user.id },
    session: { id: again.session.id, current: true },
    sessions: [
      { id: again.session.id, current: true },
      { id: account.session.id, current: false },
      { id: guest.session.id, current: false },
    ],
  });

  const drop = `mutation ($input: DeleteSessionInput!) { deleteSession(input: $input) { sessionId } }`;
  const dropped = await ask(drop, { input: { sessionId: guest.session.id } }, again.token);
  expect(dropped.data.deleteSession).toEqual({ sessionId: guest.session.id });

  const change = `mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { endedSessions user { username } } }`;
  const passwords = { currentPassword: 'correct horse', newPassword: 'battery staple' };
  expect((await ask(change, { input: passwords }, again.token)).data.changePassword).toEqual({
    endedSessions: 1,
    user: { username: 'anna' },
  });

  const out = await ask('mutation { logout { sessionId } }', {}, again.token);
  expect(out.data.logout).toEqual({ sessionId: again.session.id });
  expect((await ask(viewer)).data.viewer).toBeNull();
});

it('removes a guest without, and an account only with its password', async () => {
  const guest = (await ask(`mutation { startGuestSession ${AUTH} }`)).data.startGuestSession;
  const gone = await ask('mutation { deleteAccount { userId } }', {}, guest.token);
  expect(gone.data.deleteAccount).toEqual({ userId: guest.user.id });

  const register = `mutation ($input: RegisterInput!) { register(input: $input) ${AUTH} }`;
  const account = (await ask(register, { input: { username: 'anna', password: 'correct horse' } })).data.register;
  expect((await ask('mutation { deleteAccount { userId } }', {}, account.token)).errors).toHaveLength(1);
  const remove = `mutation ($input: DeleteAccountInput) { deleteAccount(input: $input) { userId } }`;
  const removed = await ask(remove, { input: { password: 'correct horse' } }, account.token);
  expect(removed.data.deleteAccount).toEqual({ userId: account.user.id });
});

it('C36: gives users and sessions by id to their owner only, and what is foreign is like what is missing', async () => {
  const guest = (await ask(`mutation { startGuestSession ${AUTH} }`)).data.startGuestSession;
  const stranger = (await ask(`mutation { startGuestSession ${AUTH} }`)).data.startGuestSession;
  const node = `query ($id: ID!) { node(id: $id) { __typename id } }`;
  const nodes = `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`;
  const mine = [guest.user.id, guest.session.id];
  const missing = [
    Buffer.from('User:019a0000-0000-7000-8000-000000000000').toString('base64'),
    Buffer.from(`Session:' or 1=1`).toString('base64'),
  ];
  expect((await ask(nodes, { ids: mine }, guest.token)).data.nodes).toEqual([
    { __typename: 'User', id: guest.user.id },
    { __typename: 'Session', id: guest.session.id },
  ]);
  for (const token of [stranger.token, undefined]) {
    for (const id of [...mine, ...missing]) expect(await ask(node, { id }, token)).toEqual({ data: { node: null } });
    const all = await ask(nodes, { ids: [...mine, ...missing] }, token);
    expect(all).toEqual({ data: { nodes: [null, null, null, null] } });
  }

  const drop = `mutation ($input: DeleteSessionInput!) { deleteSession(input: $input) { sessionId } }`;
  const foreign = await ask(drop, { input: { sessionId: guest.session.id } }, stranger.token);
  const nothing = await ask(drop, { input: { sessionId: missing[0] } }, stranger.token);
  expect(foreign.errors?.[0]?.message).toBe('You have no such session.');
  expect(nothing.errors).toEqual(foreign.errors);
});

it('describes every type, field, argument and value', () => {
  const own = ['User', 'Session', 'Viewer', 'AuthPayload', 'Role'];
  const types = Object.values(schema.getTypeMap()).filter(
    ({ name }) => own.includes(name) || /(Input|Payload)$/.test(name) || name === 'Mutation',
  );
  expect(types.length).toBeGreaterThan(12);
  const bare: string[] = [];
  for (const type of types) {
    if (!type.description) bare.push(type.name);
    const fields = 'getFields' in type ? Object.values(type.getFields()) : 'getValues' in type ? type.getValues() : [];
    for (const field of fields) {
      if (!field.description) bare.push(`${type.name}.${field.name}`);
      for (const arg of 'args' in field ? field.args : []) {
        if (!arg.description) bare.push(`${type.name}.${field.name}(${arg.name})`);
      }
    }
  }
  expect(bare).toEqual([]);
});
