import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createApp, type App } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { assertNoSecrets, assertNoSecretsStored, watchLog } from './canaries.ts';
import { SERVICE_ENV } from './service-env.ts';

export interface GraphQLAnswer {
  status: number;
  headers: Headers;
  data: any;
  errors: { message: string; path?: string[]; extensions: { code: string; retryAfter?: number; field?: string } }[];
}

/** What a test says to a service, wherever that runs. */
export interface TestClient {
  url: string;
  /** One operation over HTTP; `token` null = anonymous. */
  request(query: string, variables?: object, token?: string | null): Promise<GraphQLAnswer>;
  /** As `request`; fails the test with the errors when there are any, and answers the data. */
  ok(query: string, variables?: object, token?: string | null): Promise<any>;
  /** One operation with files, by the multipart request specification; `files` by variable path, e.g. `file`. */
  upload(
    query: string,
    files: Record<string, { bytes: Uint8Array; name?: string; type?: string }>,
    variables?: object,
    token?: string | null,
  ): Promise<GraphQLAnswer>;
  /** A new guest's token. */
  guest(): Promise<string>;
  /** Polls until a restoration has ended; answers it. */
  ended(id: string, token: string): Promise<any>;
}

export interface TestApp extends TestClient {
  dataDir: string;
  app: App;
  close(): Promise<void>;
}

async function answerOf(response: Response): Promise<GraphQLAnswer> {
  const text = await response.text();
  let body: any;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Error(`no JSON, status ${response.status}: ${text.slice(0, 300)}`);
  }
  if (body.errors !== undefined) assertNoSecrets(JSON.stringify(body.errors), 'an error');
  return { status: response.status, headers: response.headers, data: body.data, errors: body.errors ?? [] };
}

/** A client of the service at `url`. */
export function clientOf(url: string): TestClient {
  const endpoint = `${url}/graphql`;
  const authorization = (token: string | null): Record<string, string> =>
    token === null ? {} : { authorization: `Bearer ${token}` };

  const self: TestClient = {
    url,
    async request(query, variables = {}, token = null) {
      const body = JSON.stringify({ query, variables });
      const headers = { 'content-type': 'application/json', ...authorization(token) };
      return answerOf(await fetch(endpoint, { method: 'POST', body, headers }));
    },
    async ok(query, variables, token) {
      const { data, errors, status } = await self.request(query, variables, token);
      if (errors.length > 0) throw new Error(`${status}: ${JSON.stringify(errors)}\n${query}`);
      return data;
    },
    async upload(query, files, variables = {}, token = null) {
      const names = Object.keys(files);
      const form = new FormData();
      const blank = Object.fromEntries(names.map((name) => [name, null]));
      form.set('operations', JSON.stringify({ query, variables: { ...variables, ...blank } }));
      form.set('map', JSON.stringify(Object.fromEntries(names.map((name, index) => [index, [`variables.${name}`]]))));
      for (const [index, name] of names.entries()) {
        const { bytes, name: filename = 'photo.jpg', type = 'image/jpeg' } = files[name]!;
        form.set(String(index), new File([bytes as Uint8Array<ArrayBuffer>], filename, { type }));
      }
      return answerOf(await fetch(endpoint, { method: 'POST', body: form, headers: authorization(token) }));
    },
    async guest() {
      return (await self.ok('mutation { startGuestSession { token } }')).startGuestSession.token;
    },
    async ended(id, token) {
      const query = `query ($id: ID!) { restoration(id: $id) { id status stage percent attempts width height bytes format sha256 url
        report { steps { name ran strength reason } gate { verdict reason measures { name step value limit unit held explanation } } } runs { number provider durationMs error { code } } renditions { name width height bytes url }
        error { code message retryable retryAfter provider } photo { id } } }`;
      const deadline = Date.now() + 25_000;
      for (;;) {
        const { restoration } = await self.ok(query, { id }, token);
        if (restoration === null || ['SUCCEEDED', 'FAILED', 'CANCELLED'].includes(restoration.status))
          return restoration;
        if (Date.now() > deadline) throw new Error(`still ${restoration.status} after 25 s`);
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    },
  };
  return self;
}

const LEVELS: Record<string, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 };

/**
 * The whole service on a free port and a data folder of its own; both go with the test. It knows secrets, and closing it
 * fails when one of them is found in its log (all of it, whatever LOG_LEVEL says) or its database.
 *
 * @param lines where its log goes, at LOG_LEVEL.
 */
export async function startApp(env: Record<string, string> = {}, lines: string[] = []): Promise<TestApp> {
  const dataDir = env['DATA_DIR'] ?? (await mkdtemp(join(tmpdir(), 'heirloom-test-')));
  const config = readConfig({ ...SERVICE_ENV, DATA_DIR: dataDir, ...env });
  const watch = watchLog('the log');
  const wanted = LEVELS[env['LOG_LEVEL'] ?? 'silent'] ?? Infinity;
  const write = (line: string): void => {
    watch.say(line);
    if (Number(/"level":(\d+)/.exec(line)?.[1]) >= wanted) lines.push(line);
  };
  const app = await createApp(config, createLog('debug', { write }));
  const { url } = await app.listen();
  return {
    ...clientOf(url),
    dataDir,
    app,
    async close() {
      await app.close();
      watch.check();
      await assertNoSecretsStored(dataDir);
      if (env['DATA_DIR'] === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** As `startApp`, and closed when the test that called it is over. */
export async function appForTest(env: Record<string, string> = {}, lines: string[] = []): Promise<TestApp> {
  const app = await startApp(env, lines);
  onTestFinished(() => app.close());
  return app;
}

export const UPLOAD = `mutation ($file: Upload!) { uploadPhoto(input: { file: $file }) { photo { id width height format sha256 url originalFilename } } }`;
export const RESTORE = `mutation ($file: Upload!, $modelId: ID, $options: RestorationOptionsInput, $key: String) {
  restorePhoto(input: { file: $file, modelId: $modelId, options: $options, idempotencyKey: $key }) {
    photo { id url } restoration { id status } } }`;
