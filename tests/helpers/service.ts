import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { createClient, type Client } from 'graphql-ws';
import sharp, { type Sharp } from 'sharp';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { TestApp } from './app.ts';

/** A photograph-like picture of its own for each seed: soft shapes, grain, little contrast. RGB, 8 bits. */
export function picture(seed: number, width = 160, height = 120): Sharp {
  const data = Buffer.alloc(width * height * 3);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let at = 0; at < data.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const pixel = Math.floor(at / 3);
    const x = (pixel % width) / width;
    const y = Math.floor(pixel / width) / height;
    data[at] = 90 + 60 * Math.sin(5 * x + seed + (at % 3)) * Math.cos(4 * y) + (state >>> 28);
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

export const jpeg = (seed: number, width?: number, height?: number): Promise<Buffer> =>
  picture(seed, width, height).jpeg({ quality: 90 }).toBuffer();

/** Every file below the folders of originals, results and temporary files, relative to the data folder. */
export async function storedFiles(dataDir: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of ['uploads', 'processed', 'tmp']) {
    const entries = await readdir(join(dataDir, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.isFile()) found.push(relative(dataDir, join(entry.parentPath, entry.name)));
    }
  }
  return found.toSorted();
}

/** Rows of the service's own database. */
export function sql<T = any>({ app }: TestApp, query: string, params: unknown[] = []): Promise<T[]> {
  return app.systemContext().em.execute<T[]>(query, params);
}

export interface RunStatement {
  /** With `?` where the parameters go. */
  readonly sql: string;
  readonly params: readonly unknown[];
}

/** The statements that the service runs while `work` does. */
export async function statementsOf({ app }: TestApp, work: () => Promise<unknown>): Promise<RunStatement[]> {
  const seen: RunStatement[] = [];
  const logger = (app.systemContext().em.config as any).getLogger();
  const before = { isEnabled: logger.isEnabled, logQuery: logger.logQuery };
  // `query-params` would put the parameters into the text.
  logger.isEnabled = (namespace: string) => namespace === 'query';
  logger.logQuery = ({ query, params = [] }: { query: string; params?: unknown[] }) =>
    void seen.push({ sql: query, params });
  try {
    await work();
  } finally {
    Object.assign(logger, before);
  }
  return seen;
}

/** Every file that a row names. */
export async function namedFiles(app: TestApp): Promise<string[]> {
  const rows = await sql<{ key: string | null }>(
    app,
    `select storage_key as key from photo union all select storage_key from restoration
      union all select storage_key from mask union all select storage_key from rendition`,
  );
  return rows.flatMap(({ key }) => key ?? []).toSorted();
}

/** Polls until `check` answers something true; fails after `ms`. */
export async function until<T>(check: () => Promise<T> | T, ms = 10_000, everyMs = 10): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + ms; ;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${check.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** No job waits or runs any more. */
export async function idle(app: TestApp): Promise<void> {
  await until(async () => (await sql<{ n: number }>(app, 'select count(*) as n from job'))[0]!.n === 0, 20_000, 25);
}

/** A graphql-ws client for a token; it goes with the test. */
export function socketClient(app: TestApp, token: string | null, options: { retryAttempts?: number } = {}): Client {
  const client = createClient({
    url: `${app.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: options.retryAttempts ?? 0,
    connectionParams: token === null ? {} : { authorization: `Bearer ${token}` },
  });
  onTestFinished(() => void client.dispose());
  return client;
}

export const FOLLOW = `subscription ($id: ID!, $after: String) { restorationUpdated(id: $id, after: $after) {
  cursor attempt status stage percent etaSeconds message at restoration { id status percent } } }`;

export const ACTIVITY = `subscription ($after: String) { viewerActivity(after: $after) {
  cursor kind at photo { id renditions { name } } restoration { id status } } }`;

/** The events of a subscription until it completes or `enough` says so. */
export async function collect(
  client: Client,
  query: string,
  variables: Record<string, unknown>,
  enough: (event: any) => boolean = () => false,
): Promise<any[]> {
  const events: any[] = [];
  for await (const { data, errors } of client.iterate<Record<string, any>>({ query, variables })) {
    if (errors) throw Object.assign(new Error(errors[0]!.message), { code: errors[0]!.extensions?.['code'] });
    const event = Object.values(data!)[0];
    events.push(event);
    if (enough(event)) break;
  }
  return events;
}
