import { ApolloClient, CombinedGraphQLErrors, gql, InMemoryCache } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokens } from '../src/auth/tokens.ts';
import { startApp, type TestApp } from './helpers/app.ts';
import { photoBytes } from './helpers/photos.ts';
import { connect, restore } from './readme-snippets/apollo.ts';

const SECRET = 'a secret of more than thirty-two characters';
const RESTORE = gql`
  mutation ($input: RestorePhotoInput!) {
    restorePhoto(input: $input) {
      photo {
        id
      }
      restoration {
        id
      }
    }
  }
`;
const HISTORY = gql`
  query ($first: Int!, $after: String) {
    viewer {
      history(first: $first, after: $after) {
        totalCount
        edges {
          cursor
          node {
            id
          }
        }
        pageInfo {
          hasNextPage
          hasPreviousPage
          startCursor
          endCursor
        }
      }
    }
  }
`;

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ JWT_SECRET: SECRET });
});
afterAll(() => app.close());

const photo = async (): Promise<File> =>
  new File([new Uint8Array(await photoBytes('rocket.jpg'))], 'großmutter.jpg', { type: 'image/jpeg' });

/** A client that notes what was sent and answered. */
function recording(token: string | null, url = app.url) {
  const exchanges: { sent: Headers; status: number; type: string | null }[] = [];
  const link = new UploadHttpLink({
    uri: `${url}/graphql`,
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const sent = new Headers(init?.headers);
      exchanges.push({ sent, status: response.status, type: response.headers.get('content-type') });
      return response;
    },
  });
  const cache = new InMemoryCache({
    typePolicies: { Viewer: { merge: true, fields: { history: relayStylePagination() } } },
  });
  return { client: new ApolloClient({ link, cache }), exchanges };
}

/** The first error of an operation that is refused, as an app gets it. */
async function refusalOf(operation: Promise<unknown>) {
  const error: unknown = await operation.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!CombinedGraphQLErrors.is(error)) throw new Error(`no GraphQL errors, but ${String(error)}`);
  return { message: error.errors[0]?.message, ...error.errors[0]?.extensions } as Record<string, unknown>;
}

describe('Apollo Client 4 with apollo-upload-client and graphql-ws', () => {
  it('as in the README: uploads, restores, follows to the end, from a guest session of its own', async () => {
    const anonymous = recording(null);
    const { data } = await anonymous.client.mutate<any>({
      mutation: gql('mutation { startGuestSession { token user { guest } } }'),
    });
    expect(data.startGuestSession.user.guest).toBe(true);

    const client = connect(data.startGuestSession.token, `${app.url}/graphql`);
    const updates: any[] = [];
    const restoration = await restore(client, await photo(), (update) => updates.push(update));
    client.stop();

    expect(restoration.status).toBe('SUCCEEDED');
    const percents = updates.map(({ percent }) => percent);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents.at(-1)).toBe(100);
    expect(updates.map(({ stage }) => stage)).toContain('FINISHING');
    const result = await fetch(restoration.url);
    expect([result.status, result.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    expect((await result.arrayBuffer()).byteLength).toBeGreaterThan(10_000);
  });

  it('C40: its uploads bear no preflight header, and none is demanded', async () => {
    const { client, exchanges } = recording(await app.guest());
    await client.mutate({ mutation: RESTORE, variables: { input: { file: await photo() } } });
    const { sent, status } = exchanges[0]!;
    expect(status).toBe(200);
    expect([...sent.keys()].filter((name) => /preflight|csrf|^x-/.test(name))).toEqual([]);
  });

  it('pages through the history with relayStylePagination and fetchMore', async () => {
    const token = await app.guest();
    const { client } = recording(token);
    const { data } = await client.mutate<any>({ mutation: RESTORE, variables: { input: { file: await photo() } } });
    const ids: string[] = [data.restorePhoto.restoration.id];
    while (ids.length < 5) {
      const input = { photoId: data.restorePhoto.photo.id, modelId: 'tone' };
      const again = await client.mutate<any>({ mutation: RESTORE, variables: { input } });
      ids.unshift(again.data.restorePhoto.restoration.id);
    }

    const query = client.watchQuery<any>({ query: HISTORY, variables: { first: 2 } });
    let history: any;
    const subscription = query.subscribe(({ data: result }) => {
      history = result?.viewer.history;
    });
    await expect.poll(() => history?.edges.length).toBe(2);
    for (const size of [4, 5]) {
      expect(history.pageInfo.hasNextPage).toBe(true);
      await query.fetchMore({ variables: { after: history.pageInfo.endCursor } });
      await expect.poll(() => history.edges.length).toBe(size);
    }
    subscription.unsubscribe();
    expect(history.pageInfo.hasNextPage).toBe(false);
    expect(history.edges.map(({ node }: any) => node.id)).toEqual(ids);
    expect(history.totalCount).toBe(5);
  });
});

describe('what is refused reaches the app as CombinedGraphQLErrors with its code', () => {
  const missing = Buffer.from('Photo:01890000-0000-7000-8000-000000000000').toString('base64');
  const file = (bytes: Uint8Array<ArrayBuffer>) => new File([bytes], 'photo.jpg', { type: 'image/jpeg' });
  it.each<[code: string, status: number, operation: (client: ApolloClient) => Promise<unknown>]>([
    ['BAD_USER_INPUT', 400, (client) => client.mutate({ mutation: RESTORE, variables: { input: {} } })],
    ['GRAPHQL_VALIDATION_FAILED', 400, (client) => client.query({ query: gql('{ nonsense }') })],
    [
      'UNKNOWN_MODEL',
      400,
      (client) => client.mutate({ mutation: RESTORE, variables: { input: { photoId: missing, modelId: 'none' } } }),
    ],
    ['NOT_FOUND', 404, (client) => client.mutate({ mutation: RESTORE, variables: { input: { photoId: missing } } })],
    [
      'UNSUPPORTED_IMAGE',
      400,
      (client) => client.mutate({ mutation: RESTORE, variables: { input: { file: file(new Uint8Array(100)) } } }),
    ],
    [
      'PAYLOAD_TOO_LARGE',
      413,
      (client) =>
        client.mutate({ mutation: RESTORE, variables: { input: { file: file(new Uint8Array(20_000_001)) } } }),
    ],
  ])('%s', async (code, status, operation) => {
    const { client, exchanges } = recording(await app.guest());
    expect((await refusalOf(operation(client)))['code']).toBe(code);
    expect(exchanges.map((exchange) => [exchange.status, exchange.type])).toEqual([
      [status, 'application/graphql-response+json; charset=utf-8'],
    ]);
  });

  it('UNAUTHENTICATED, with nobody signed in and with a token that has expired', async () => {
    const token = await app.guest();
    const claims = decodeJwt<{ sid: string }>(token);
    const hourAgo = createTokens({ secret: SECRET, expiresInSeconds: 60, now: () => Date.now() - 3_600_000 });
    const subject = { userId: claims.sub!, sessionId: claims.sid, role: 'USER', guest: true } as const;
    const expired = await hourAgo.issue(subject);
    const fresh = await createTokens({ secret: SECRET, expiresInSeconds: 60 }).issue(subject);

    const me = gql('{ viewer { user { id } } }');
    for (const [bearer, operation] of [
      [null, { mutation: RESTORE, variables: { input: { file: await photo() } } }],
      [expired.token, { mutation: gql('mutation { refreshSession { token } }') }],
    ] as const) {
      const { client, exchanges } = recording(bearer);
      expect((await refusalOf(client.mutate(operation)))['code']).toBe('UNAUTHENTICATED');
      expect(exchanges[0]?.status).toBe(401);
    }
    expect((await refusalOf(recording(expired.token).client.query({ query: me })))['code']).toBe('UNAUTHENTICATED');
    const { data } = await recording(fresh.token).client.query<any>({ query: me });
    expect(data.viewer.user.id).toBeTruthy();
  });

  it('NOT_FOUND, from a subscription over the WebSocket', async () => {
    const client = connect(await app.guest(), `${app.url}/graphql`);
    const query = gql('subscription ($id: ID!) { restorationUpdated(id: $id) { status } }');
    const results: unknown[] = [];
    await client.subscribe({ query, variables: { id: missing } }).forEach(({ error }) => results.push(error));
    client.stop();
    expect(results).toEqual([expect.any(CombinedGraphQLErrors)]);
    expect(results).toMatchObject([{ errors: [{ extensions: { code: 'NOT_FOUND' } }] }]);
  });

  it('RATE_LIMITED, with the seconds to wait', async () => {
    const limited = await startApp({ RATE_LIMIT_MAX_UPLOADS: '1' });
    try {
      const { client, exchanges } = recording(await limited.guest(), limited.url);
      const upload = async () =>
        client.mutate({ mutation: RESTORE, variables: { input: { file: await photo(), modelId: 'tone' } } });
      await upload();
      const refusal = await refusalOf(upload());
      expect(refusal).toMatchObject({ code: 'RATE_LIMITED', retryAfter: expect.any(Number) });
      expect(refusal['retryAfter']).toBeGreaterThan(0);
      expect(exchanges[1]?.status).toBe(429);
    } finally {
      await limited.close();
    }
  });
});
