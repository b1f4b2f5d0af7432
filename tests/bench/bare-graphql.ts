/**
 * What the history is measured against: Yoga and Pothos over one prepared statement, without signing in, limits, masking
 * or logs. The same fields of the same rows, so that the answer is the same, byte for byte.
 *
 * Usage: node bare-graphql.ts DATABASE USER_ID MODEL_NAME
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import SchemaBuilder from '@pothos/core';
import Database from 'better-sqlite3';
import { DateTimeResolver } from 'graphql-scalars';
import { createYoga } from 'graphql-yoga';

const [path = '', userId = '', modelName = ''] = process.argv.slice(2);

interface Row {
  id: string;
  status: string;
  percent: number;
  queuedAt: number;
  finishedAt: number | null;
  modelId: string;
  photoId: string;
  originalFilename: string;
  width: number;
  height: number;
}

const database = new Database(path, { readonly: true });
const page = database.prepare<[string, number], Row>(
  `select r.id, r.status, r.percent, r.queued_at as queuedAt, r.finished_at as finishedAt, r.model_id as modelId,
      p.id as photoId, p.original_filename as originalFilename, p.width, p.height
    from restoration r join photo p on p.id = r.photo_id where r.user_id = ? order by r.id desc limit ?`,
);

const builder = new SchemaBuilder<{
  DefaultFieldNullability: false;
  Scalars: { DateTime: { Input: Date; Output: Date } };
}>({ defaultFieldNullability: false });
builder.addScalarType('DateTime', DateTimeResolver);
const globalId = (type: string, id: string): string => Buffer.from(`${type}:${id}`).toString('base64');

const Status = builder.enumType('RestorationStatus', {
  values: ['QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'] as const,
});
const Model = builder.objectRef<{ id: string; name: string }>('Model').implement({
  fields: (t) => ({ id: t.exposeID('id'), name: t.exposeString('name') }),
});
const Photo = builder.objectRef<Row>('Photo').implement({
  fields: (t) => ({
    id: t.id({ resolve: (row) => globalId('Photo', row.photoId) }),
    originalFilename: t.exposeString('originalFilename'),
    width: t.exposeInt('width'),
    height: t.exposeInt('height'),
  }),
});
const Restoration = builder.objectRef<Row>('Restoration').implement({
  fields: (t) => ({
    id: t.id({ resolve: (row) => globalId('Restoration', row.id) }),
    status: t.field({ type: Status, resolve: (row) => row.status as 'QUEUED' }),
    percent: t.exposeFloat('percent'),
    queuedAt: t.field({ type: 'DateTime', resolve: (row) => new Date(row.queuedAt) }),
    finishedAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: (row) => (row.finishedAt === null ? null : new Date(row.finishedAt)),
    }),
    model: t.field({ type: Model, nullable: true, resolve: (row) => ({ id: row.modelId, name: modelName }) }),
    photo: t.field({ type: Photo, resolve: (row) => row }),
  }),
});
const cursorOf = (row: Row): string => Buffer.from(row.id).toString('base64url');
const Edge = builder.objectRef<Row>('RestorationEdge').implement({
  fields: (t) => ({
    cursor: t.string({ resolve: cursorOf }),
    node: t.field({ type: Restoration, resolve: (row) => row }),
  }),
});
interface Page {
  readonly rows: Row[];
  readonly more: boolean;
}
const PageInfo = builder.objectRef<Page>('PageInfo').implement({
  fields: (t) => ({
    hasNextPage: t.boolean({ resolve: ({ more }) => more }),
    endCursor: t.string({ nullable: true, resolve: ({ rows }) => (rows.length > 0 ? cursorOf(rows.at(-1)!) : null) }),
  }),
});
const Connection = builder.objectRef<Page>('RestorationConnection').implement({
  fields: (t) => ({
    edges: t.field({ type: [Edge], resolve: ({ rows }) => rows }),
    pageInfo: t.field({ type: PageInfo, resolve: (found) => found }),
  }),
});
const Viewer = builder.objectRef<object>('Viewer').implement({
  fields: (t) => ({
    history: t.field({
      type: Connection,
      args: { first: t.arg.int({ required: true }) },
      resolve: (_viewer, { first }) => {
        const rows = page.all(userId, first + 1);
        return { rows: rows.slice(0, first), more: rows.length > first };
      },
    }),
  }),
});
builder.queryType({ fields: (t) => ({ viewer: t.field({ type: Viewer, nullable: true, resolve: () => ({}) }) }) });

const yoga = createYoga({ schema: builder.toSchema(), maxRequestBodySize: false, logging: false });
const server = createServer((req, res) => void yoga(req, res));
server.listen(0, '127.0.0.1', () => {
  process.stderr.write(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
