import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCursor } from '../src/events/service.ts';
import { reconcile } from '../src/restorations/reconcile.ts';
import { localId } from '../src/graphql/global-id.ts';
import { startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import {
  ACTIVITY,
  collect,
  FOLLOW,
  jpeg,
  socketClient,
  statementsOf,
  until,
  type RunStatement,
} from './helpers/service.ts';

const HISTORY = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: HistoryFilter, $orderBy: ListOrder) {
  viewer { history(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
    totalCount edges { cursor node { id photo { originalFilename } } } pageInfo { hasNextPage } } } }`;
const PHOTOS = HISTORY.replace('HistoryFilter', 'PhotoFilter')
  .replace('history(', 'photos(')
  .replace('photo { originalFilename }', 'originalFilename');
const NESTED = `{ viewer { user { id } session { id } sessions { id } history(first: 20) { edges { node {
  runs { number } renditions { name } url photo { id renditions { name } selected { id renditions { name } }
  restorations { id runs { number } } } } } } } }`;
const BY_ID = `query ($ids: [ID!]!, $photo: ID!) { photos(ids: $ids) { id } nodes(ids: $ids) { id } photo(id: $photo) { id } }`;
const RESTORE = 'mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }';

const FROM = '2026-01-01T00:00:00Z';
const FILTERS: readonly object[] = [
  {},
  { scope: 'SESSION' },
  { status: ['FAILED'] },
  { status: ['FAILED', 'QUEUED'] },
  { status: ['FAILED'], scope: 'SESSION' },
  { modelId: 'auto' },
  { from: FROM, to: '2100-01-01T00:00:00Z' },
  { search: 'a' },
  { search: 'a', scope: 'SESSION', status: ['FAILED'], from: FROM },
];

let app: TestApp;
let token: string;
let photo: string;
let restoration: string;
let database: Database.Database;

beforeAll(async () => {
  const lines: string[] = [];
  app = await startApp({ LOG_LEVEL: 'info' }, lines);
  // The clean-up that follows a start has queries of its own, which are looked at below.
  await until(() => lines.some((line) => line.includes('cleaned up')));
  token = await app.guest();
  photo = (await app.upload(UPLOAD, { file: { bytes: await jpeg(1) } }, {}, token)).data.uploadPhoto.photo.id;
  restoration = (await app.ok(RESTORE, { id: photo }, token)).restorePhoto.restoration.id;
  await app.ended(restoration, token);
  database = new Database(join(app.dataDir, 'heirloom.sqlite'), { readonly: true });
});
afterAll(async () => {
  database.close();
  await app.close();
});

/** How SQLite goes about a statement with its parameters bound, as the service runs it: literals can be planned otherwise. */
function planOf({ sql, params }: RunStatement): string[] {
  const bound = params.map((param) => (param instanceof Date ? param.getTime() : param));
  return database
    .prepare<unknown[], { detail: string }>(`explain query plan ${sql}`)
    .all(...bound)
    .map(({ detail }) => detail);
}

const selectsOf = async (work: () => Promise<unknown>): Promise<RunStatement[]> =>
  (await statementsOf(app, work)).filter(({ sql }) => /^select/i.test(sql));

/** Statements that walk a whole table, and those that sort more than what has been narrowed to the rows of one page. */
const withoutIndex = (seen: readonly RunStatement[]): string[] =>
  seen
    .filter((statement) => {
      const plan = planOf(statement);
      const sorts = plan.some((detail) => detail.includes('TEMP B-TREE'));
      return plan.some((detail) => detail.startsWith('SCAN')) || (sorts && statement.sql.includes('limit'));
    })
    .map(({ sql }) => sql);

describe('C48: how lists are read', () => {
  it.each([
    ['history', HISTORY],
    ['photos', PHOTOS],
  ])(
    '%s: every filter, both orders, forwards and backwards, walks an index with its parameters bound',
    async (name, list) => {
      const { viewer } = await app.ok(list, {}, token);
      const [{ cursor }] = viewer[name].edges;
      const pages = [
        { first: 5 },
        { last: 5 },
        { first: 5, after: cursor },
        { last: 5, before: cursor },
        { after: cursor, before: cursor },
      ];
      const seen = await selectsOf(async () => {
        for (const { status, modelId, ...rest } of FILTERS as any[]) {
          const filter =
            name === 'history' ? { ...rest, ...(status && { status }), ...(modelId && { modelId }) } : rest;
          for (const page of pages) {
            for (const orderBy of ['NEWEST_FIRST', 'OLDEST_FIRST'])
              await app.ok(list, { ...page, filter, orderBy }, token);
          }
        }
      });
      expect(seen.length).toBeGreaterThanOrEqual(2 * FILTERS.length * pages.length * 2);
      expect(withoutIndex(seen)).toEqual([]);
      // A cursor is one bound on the id. `a < ? or (a = ? and b < ?)` would be a scan with bound parameters.
      expect(seen.some(({ sql }) => sql.includes(' t.id < ?'))).toBe(true);
      for (const { sql } of seen) expect(sql).not.toMatch(/ or /i);
    },
  );

  it('a page is one walk of the index in its order: nothing is sorted, and as much as is asked for is read', async () => {
    for (const orderBy of ['NEWEST_FIRST', 'OLDEST_FIRST']) {
      for (const page of [{ first: 20 }, { last: 20 }]) {
        const seen = await selectsOf(() => app.ok(HISTORY, { ...page, orderBy }, token));
        const [rows] = seen.filter(({ sql }) => sql.includes('limit'));
        expect(planOf(rows!)).toEqual(['SEARCH t USING INDEX restoration_user_id_id_index (user_id=?)']);
        expect(rows!.params.at(-1)).toBe(21);
      }
    }
  });

  it('what is nested in a list, sessions, things by id, and the log of events', async () => {
    const client = socketClient(app, token);
    const after = encodeCursor(0);
    const seen = await selectsOf(async () => {
      await app.ok(NESTED, {}, token);
      await app.ok(BY_ID, { ids: [photo, restoration], photo }, token);
      await collect(client, FOLLOW, { id: restoration, after });
      await collect(client, ACTIVITY, { after }, () => true);
    });
    for (const table of ['user', 'session', 'photo', 'restoration', 'rendition', 'run', 'event']) {
      expect(seen.map(({ sql }) => sql).join(' ')).toContain(`from \`${table}\``);
    }
    expect(withoutIndex(seen)).toEqual([]);
  });

  it('what is looked for at every start, among any number of rows that have ended', async () => {
    const { em, log } = app.app.systemContext();
    const seen = await selectsOf(async () => {
      await reconcile({ fork: () => em, queue: undefined as never, log });
      await app.app.services.cleanup.run();
    });
    expect(seen.length).toBeGreaterThanOrEqual(3);
    expect(withoutIndex(seen)).toEqual([]);
  });

  it('a list does not wait for a transaction that is open, and shows what is committed', async () => {
    const name = async (): Promise<string> =>
      (await app.ok(PHOTOS, {}, token)).viewer.photos.edges[0].node.originalFilename;
    const before = await name();
    let during = '';
    await app.app.systemContext().em.transactional(async (em) => {
      const rename = 'update photo set original_filename = ? where id = ?';
      await em.execute(rename, ['renamed.jpg', localId('Photo', photo)], 'run');
      during = await name();
    });
    expect([during, await name()]).toEqual([before, 'renamed.jpg']);
  });
});
