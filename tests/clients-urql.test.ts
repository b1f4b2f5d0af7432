import { Client, fetchExchange, type ClientOptions } from '@urql/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type TestApp } from './helpers/app.ts';
import { photoBytes } from './helpers/photos.ts';
import { connect, restore } from './readme-snippets/urql.ts';

const RESTORE =
  'mutation ($file: Upload!) { restorePhoto(input: { file: $file }) { photo { id } restoration { id } } }';
const FOLLOW = 'subscription ($id: ID!) { restorationUpdated(id: $id) { status stage percent } }';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const photo = async (): Promise<File> =>
  new File([new Uint8Array(await photoBytes('rocket.jpg'))], 'großmutter.jpg', { type: 'image/jpeg' });

/** A client with nothing but the built-in fetchExchange, which notes what it sends. */
function recording(token: string | null, options: Partial<ClientOptions> = {}) {
  const sent: { method: string; url: URL; headers: Headers; status: number; type: string | null }[] = [];
  const client = new Client({
    url: `${app.url}/graphql`,
    exchanges: [fetchExchange],
    fetchOptions: { headers: token === null ? {} : { authorization: `Bearer ${token}` } },
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const { status, headers } = response;
      const [method, url] = [init?.method ?? 'GET', new URL(String(input))];
      sent.push({ method, url, headers: new Headers(init?.headers), status, type: headers.get('content-type') });
      return response;
    },
    ...options,
  });
  return { client, sent };
}

/** Everything a subscription brings until it ends. */
function collect(client: Client, query: string, variables: object): Promise<any[]> {
  return new Promise((resolve, reject) => {
    const events: any[] = [];
    client.subscription(query, variables).subscribe(({ data, error, hasNext }) => {
      if (error) reject(error);
      else if (hasNext) events.push(data.restorationUpdated);
      else resolve(events);
    });
  });
}

describe('@urql/core 6', () => {
  it('as in the README: uploads, restores, follows over graphql-ws to the end', async () => {
    const client = connect(await app.guest(), `${app.url}/graphql`);
    const updates: any[] = [];
    const restoration = await restore(client, await photo(), (update) => updates.push(update));
    expect(restoration.status).toBe('SUCCEEDED');
    const percents = updates.map(({ percent }) => percent);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents.at(-1)).toBe(100);
    expect(updates.map(({ stage }) => stage)).toContain('FINISHING');
    const result = await fetch(restoration.url);
    expect([result.status, result.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
  });

  it('C40: its own multipart upload bears no preflight header, and none is demanded', async () => {
    const { client, sent } = recording(await app.guest());
    const { data, error } = await client.mutation(RESTORE, { file: await photo() });
    expect(error).toBeUndefined();
    const { photo: kept } = await app.ok(
      'query ($id: ID!) { photo(id: $id) { originalFilename width height } }',
      { id: data.restorePhoto.photo.id },
      sent[0]!.headers.get('authorization')!.slice('Bearer '.length),
    );
    expect(kept).toEqual({ originalFilename: 'großmutter.jpg', width: 640, height: 427 });
    expect([...sent[0]!.headers.keys()].filter((name) => /preflight|csrf|^x-/.test(name))).toEqual([]);
  });

  it('follows a restoration by server-sent events with fetchSubscriptions', async () => {
    const { client, sent } = recording(await app.guest(), { fetchSubscriptions: true });
    const { data } = await client.mutation(RESTORE, { file: await photo() });
    const events = await collect(client, FOLLOW, { id: data.restorePhoto.restoration.id });
    expect(events.at(-1)).toMatchObject({ status: 'SUCCEEDED', percent: 100 });
    expect(events.map(({ stage }) => stage)).toContain('FINISHING');
    expect(sent[1]?.type).toMatch(/^text\/event-stream/);
  });

  it('tells why a subscription is refused, over either transport', async () => {
    const id = Buffer.from('Restoration:01890000-0000-7000-8000-000000000000').toString('base64');
    const token = await app.guest();
    for (const client of [
      connect(token, `${app.url}/graphql`),
      recording(token, { fetchSubscriptions: true }).client,
    ]) {
      const refused = collect(client, FOLLOW, { id });
      await expect(refused).rejects.toMatchObject({ graphQLErrors: [{ extensions: { code: 'NOT_FOUND' } }] });
    }
  });

  it('reads by GET, as it does where the address is short enough, and writes by POST', async () => {
    const { client, sent } = recording(await app.guest(), { preferGetMethod: true });
    const found = (search: string) =>
      client.query('query Found($search: String) { viewer { photos(filter: { search: $search }) { totalCount } } }', {
        search,
      });
    for (const search of ['großmutter', 'x'.repeat(2100)]) {
      const { data, error } = await found(search);
      expect(error).toBeUndefined();
      expect(data.viewer.photos.totalCount).toBe(0);
    }
    expect((await client.mutation('mutation { refreshSession { token } }', {})).error).toBeUndefined();
    expect(sent.map(({ method, status }) => [method, status])).toEqual([
      ['GET', 200],
      ['POST', 200],
      ['POST', 200],
    ]);
    expect(sent[0]?.url.searchParams.get('variables')).toBe('{"search":"großmutter"}');
  });

  it('gets the code of what is refused, by GET, by POST and with a file', async () => {
    const { client, sent } = recording(await app.guest());
    const file = new File(['no photo'], 'photo.jpg', { type: 'image/jpeg' });
    const answers = [
      await client.query('{ nonsense }', {}),
      await client.mutation('mutation { cancelRestoration(input: { id: "none" }) { restoration { id } } }', {}),
      await client.mutation(RESTORE, { file }),
      await recording('nonsense').client.query('{ viewer { user { id } } }', {}),
    ];
    expect(answers.map(({ error }) => error?.graphQLErrors[0]?.extensions['code'])).toEqual([
      'GRAPHQL_VALIDATION_FAILED',
      'NOT_FOUND',
      'UNSUPPORTED_IMAGE',
      'UNAUTHENTICATED',
    ]);
    expect(answers.map(({ error }) => error?.networkError)).toEqual([undefined, undefined, undefined, undefined]);
    expect(sent.map(({ method, status }) => [method, status])).toEqual([
      ['GET', 400],
      ['POST', 404],
      ['POST', 400],
    ]);
  });
});
