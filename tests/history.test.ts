import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../src/db/ids.ts';
import { localId } from '../src/graphql/global-id.ts';
import { startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { idle, jpeg, sql, statementsOf } from './helpers/service.ts';

const HISTORY = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: HistoryFilter, $orderBy: ListOrder) {
  viewer { history(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
    totalCount edges { cursor node { id modelId status photo { originalFilename } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`;
const PHOTOS = HISTORY.replace('HistoryFilter', 'PhotoFilter')
  .replace('history(', 'photos(')
  .replace('id modelId status photo { originalFilename }', 'id originalFilename');

const NAMES = ['100%.jpg', '100 percent.jpg', 'a_b.jpg', 'axb.jpg', 'o\'hara "x" \\ ? $1.jpg', 'Großmutter.JPG'];
const MODELS = ['auto', 'tone', 'upscale-2x'];
const STATUSES = ['SUCCEEDED', 'FAILED', 'CANCELLED'];

let app: TestApp;
let token: string;
let secondLogin: string;
let stranger: string;
let theirs: string;
/** Global ids, oldest first, as they stand in the database. */
const photos: string[] = [];
const restorations: string[] = [];
/** Of restoration n: a second apart, the newest now. */
const times: Date[] = [];

/** A UUID v7 of a moment, as `newId` would have made it then. */
function idAt(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}${newId().slice(13)}`;
}
const globalId = (type: string, id: string): string => Buffer.from(`${type}:${id}`).toString('base64');

beforeAll(async () => {
  app = await startApp();
  stranger = await app.guest();
  theirs = (await app.upload(UPLOAD, { file: { bytes: await jpeg(200) } }, {}, stranger)).data.uploadPhoto.photo.id;
  const register = `mutation { register(input: { username: "ada", password: "correct horse battery" }) { token } }`;
  token = (await app.ok(register, {}, await app.guest())).register.token;
  const login = `mutation { login(input: { username: "ada", password: "correct horse battery" }) { token } }`;
  secondLogin = (await app.ok(login)).login.token;
  for (const [n, name] of NAMES.entries()) {
    const as = n < 4 ? token : secondLogin;
    const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(201 + n), name } }, {}, as);
    const { id } = data.uploadPhoto.photo;
    photos.push(id);
    // A form cannot carry every name; a database can.
    await sql(app, 'update photo set original_filename = ? where id = ?', [name, localId('Photo', id)]);
  }
  await idle(app);
  // Rows as restorations leave them, at times of their own: 60 real ones would take half a minute.
  const rows = await sql<any>(app, 'select * from photo where user_id = (select id from user where username = ?)', [
    'ada',
  ]);
  const start = Date.now() - 60_000;
  for (let n = 0; n < 60; n++) {
    const at = new Date(start + n * 1000);
    const id = idAt(at);
    const name = NAMES[n % NAMES.length];
    const photo = rows.find((row) => row.original_filename === name);
    times.push(at);
    restorations.push(globalId('Restoration', id));
    await sql(
      app,
      `insert into restoration (id, created_at, user_id, session_id, photo_id, model_id, options, status, percent,
        attempts, tries_left, fence, queued_at) values (?, ?, ?, ?, ?, ?, ?, ?, 0, 1, 2, 1, ?)`,
      [
        id,
        at.getTime(),
        photo.user_id,
        photo.session_id,
        photo.id,
        MODELS[n % 3],
        JSON.stringify({
          strength: 1,
          upscale: 1,
          outputFormat: 'ORIGINAL',
          outputQuality: null,
          metadataPolicy: 'KEEP',
          parameters: {},
        }),
        STATUSES[Math.floor(n / 3) % 3],
        at.getTime(),
      ],
    );
  }
});
afterAll(() => app.close());

const list = async (query: string, variables: object = {}, as = token): Promise<any> =>
  Object.values((await app.ok(query, variables, as)).viewer)[0];
const ids = (page: any): string[] => page.edges.map(({ node }: any) => node.id);
const newest = (): string[] => restorations.toReversed();

/** The SQL that an operation runs. */
const statements = async (query: string, variables: object, as = token): Promise<string[]> =>
  (await statementsOf(app, () => app.ok(query, variables, as))).map(({ sql: text }) => text);

describe('pages of the history', () => {
  it.each(['NEWEST_FIRST', 'OLDEST_FIRST'])(
    '%s: walks forwards and backwards without a gap or a double',
    async (orderBy) => {
      const all = orderBy === 'NEWEST_FIRST' ? newest() : restorations;
      const forwards: string[] = [];
      let after: string | null = null;
      for (;;) {
        const page: any = await list(HISTORY, { first: 7, after, orderBy });
        forwards.push(...ids(page));
        expect(page.pageInfo).toMatchObject({
          hasPreviousPage: after !== null,
          startCursor: page.edges[0].cursor,
          endCursor: page.edges.at(-1).cursor,
        });
        expect(page.totalCount).toBe(60);
        if (!page.pageInfo.hasNextPage) break;
        after = page.pageInfo.endCursor;
      }
      expect(forwards).toEqual(all);

      const backwards: string[] = [];
      let before: string | null = null;
      for (;;) {
        const page: any = await list(HISTORY, { last: 7, before, orderBy });
        backwards.unshift(...ids(page));
        expect(page.pageInfo.hasNextPage).toBe(before !== null);
        if (!page.pageInfo.hasPreviousPage) break;
        before = page.pageInfo.startCursor;
      }
      expect(backwards).toEqual(all);
    },
  );

  it('between two cursors, the default size, none, and the largest', async () => {
    const all: any = await list(HISTORY, { first: 100 });
    const [after, before] = [all.edges[10].cursor, all.edges[15].cursor];
    expect(ids(await list(HISTORY, { after, before }))).toEqual(newest().slice(11, 15));
    expect(ids(await list(HISTORY))).toEqual(newest().slice(0, 20));
    const none = await list(HISTORY, { first: 0 });
    expect([none.edges, none.pageInfo]).toMatchObject([[], { hasNextPage: true, startCursor: null, endCursor: null }]);
    const past = await list(HISTORY, { after: all.edges.at(-1).cursor });
    expect([past.edges, past.totalCount, past.pageInfo.hasNextPage]).toEqual([[], 60, false]);
  });

  it.each([
    [{ first: -1 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ last: -1 }, 'last'],
    [{ last: 101 }, 'last'],
    [{ first: 1, last: 1 }, 'last'],
    [{ after: 'nonsense' }, 'after'],
    [{ before: Buffer.from('e12').toString('base64url') }, 'before'],
    [{ first: 1, after: '' }, 'after'],
  ])('%j is BAD_USER_INPUT', async (variables, field) => {
    for (const query of [HISTORY, PHOTOS]) {
      const { errors } = await app.request(query, variables, token);
      expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
    }
  });

  it("somebody else's cursor is a place in time and shows nothing of theirs", async () => {
    const { edges } = await list(PHOTOS, {}, stranger);
    expect(edges).toHaveLength(1);
    const mine = await list(PHOTOS, { after: edges[0].cursor });
    expect(ids(mine)).not.toContain(theirs);
    expect((await app.request(HISTORY)).data.viewer).toBeNull();
  });

  it('totalCount is counted only where it is selected', async () => {
    const counts = (texts: string[]) => texts.filter((text) => /count\(/.test(text)).length;
    expect(counts(await statements(HISTORY, { first: 1 }))).toBe(1);
    expect(counts(await statements('{ viewer { history(first: 1) { edges { node { id } } } } }', {}))).toBe(0);
  });
});

describe('filters', () => {
  const where = (keep: (n: number) => boolean): string[] => newest().filter((_, index) => keep(59 - index));

  it.each<[object, (n: number) => boolean]>([
    [{ status: ['FAILED'] }, (n) => Math.floor(n / 3) % 3 === 1],
    [{ status: ['FAILED', 'CANCELLED'] }, (n) => Math.floor(n / 3) % 3 > 0],
    [{ status: [] }, () => true],
    [{ modelId: 'tone' }, (n) => n % 3 === 1],
    [{ modelId: "x' or 1=1 --" }, () => false],
    [{ modelId: 'auto', status: ['SUCCEEDED'] }, (n) => n % 3 === 0 && Math.floor(n / 3) % 3 === 0],
    [{ scope: 'SESSION' }, (n) => n % 6 < 4],
    [{ scope: 'ACCOUNT' }, () => true],
    [{ search: '100%' }, (n) => n % 6 === 0],
    [{ search: '100' }, (n) => n % 6 < 2],
    [{ search: 'A_B' }, (n) => n % 6 === 2],
    [{ search: '  axb ' }, (n) => n % 6 === 3],
    [{ search: '"' }, (n) => n % 6 === 4],
    [{ search: "o'hara" }, (n) => n % 6 === 4],
    [{ search: '\\ ? $1' }, (n) => n % 6 === 4],
    [{ search: 'großMUTTER' }, (n) => n % 6 === 5],
    [{ search: '   ' }, () => true],
    [{ search: 'nothing of the kind' }, () => false],
  ])('%j', async (filter, keep) => {
    const page = await list(HISTORY, { first: 100, filter });
    expect(ids(page)).toEqual(where(keep));
    expect(page.totalCount).toBe(page.edges.length);
  });

  it('from is inclusive, to is not', async () => {
    const filter = { from: times[10]!.toISOString(), to: times[20]!.toISOString() };
    expect(ids(await list(HISTORY, { filter, first: 100 }))).toEqual(where((n) => n >= 10 && n < 20));
    expect(ids(await list(HISTORY, { filter: { from: '2100-01-01T00:00:00Z' } }))).toEqual([]);
    expect(ids(await list(HISTORY, { filter: { to: '1960-01-01T00:00:00Z' } }))).toEqual([]);
  });

  it('photos by name and session; two logins of one account see the same account and not the same session', async () => {
    const named = async (filter: object, as = token) =>
      (await list(PHOTOS, { filter, orderBy: 'OLDEST_FIRST' }, as)).edges.map(({ node }: any) => node.originalFilename);
    expect(await named({})).toHaveLength(6);
    expect(await named({}, secondLogin)).toEqual(await named({}));
    expect(await named({ scope: 'SESSION' })).toEqual(NAMES.slice(0, 4));
    expect(await named({ scope: 'SESSION' }, secondLogin)).toEqual(NAMES.slice(4));
    expect(await named({ search: '%' })).toEqual(['100%.jpg']);
    expect(await named({ search: '_' })).toEqual(['a_b.jpg']);
  });
});

describe('things by id', () => {
  it('photos keeps the order, and null stands for what is missing, foreign or malformed', async () => {
    const asked = [
      photos[3]!,
      theirs,
      photos[0]!,
      globalId('Photo', newId()),
      'nonsense',
      restorations[0]!,
      photos[3]!,
      globalId('Photo', "x' or 1=1"),
    ];
    const QUERY = 'query ($ids: [ID!]!) { photos(ids: $ids) { id } nodes(ids: $ids) { __typename id } }';
    const answer = await app.ok(QUERY, { ids: asked }, token);
    const expected = [photos[3], null, photos[0], null, null, null, photos[3], null];
    expect(answer.photos.map((photo: any) => photo?.id ?? null)).toEqual(expected);
    expect(answer.nodes.map((node: any) => node?.id ?? null)).toEqual(expected.with(5, restorations[0]!));
    const { photos: blank } = await app.ok('query ($ids: [ID!]!) { photos(ids: $ids) { id } }', { ids: asked });
    expect(blank.every((photo: unknown) => photo === null)).toBe(true);
    const many = await app.request(
      'query ($ids: [ID!]!) { photos(ids: $ids) { id } }',
      { ids: Array(51).fill(photos[0]) },
      token,
    );
    expect(many.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'ids' });
    const nodes = await app.request(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
      { ids: Array(101).fill(photos[0]) },
      token,
    );
    expect(nodes.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'ids' });
  });

  it.each(['photo', 'restoration', 'node'])(
    "%s(id:) of somebody else's is null, like what does not exist",
    async (field) => {
      const QUERY = `query ($id: ID!) { ${field}(id: $id) { id } }`;
      const id = field === 'restoration' ? restorations[0]! : photos[0]!;
      expect((await app.ok(QUERY, { id }, token))[field]).toEqual({ id });
      for (const as of [stranger, null]) expect((await app.ok(QUERY, { id }, as))[field]).toBeNull();
      for (const wrong of ['', 'x', globalId('Photo', newId()), globalId('Nothing', newId()), theirs]) {
        expect((await app.ok(QUERY, { id: wrong }, token))[field]).toBeNull();
      }
    },
  );
});

describe('what a list costs', () => {
  const NESTED = `query ($n: Int!) { viewer { history(first: $n) { totalCount edges { node {
    id status report { steps { name } gate { verdict } } runs { number error { code } } renditions { name url } model { name status { available } } url
    photo { id url renditions { name } selected { id renditions { name } } restorations { id runs { number } } } } } } } }`;

  it('as many statements for 40 rows as for two', async () => {
    const two = await statements(NESTED, { n: 2 });
    const forty = await statements(NESTED, { n: 40 });
    expect(forty.length).toBe(two.length);
    expect(forty.length).toBeLessThanOrEqual(12);
    for (const asked of [restorations.slice(0, 50), photos]) {
      const byIds = await statements('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: asked });
      expect(byIds.length).toBeLessThanOrEqual(3);
    }
  });
});
