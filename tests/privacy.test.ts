import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { createLog } from '../src/log.ts';
import { cameraExif } from './fixtures/zoo/exif.ts';
import { jpegWithExif, jpegWithXmp } from './fixtures/zoo/jpeg.ts';
import { appForTest, clientOf, RESTORE, startApp, UPLOAD } from './helpers/app.ts';
import { CANARY_ENV, CANARY_PASSWORD, secretsIn } from './helpers/canaries.ts';
import { startProcess } from './helpers/process.ts';
import { open, send, until } from './helpers/raw-http.ts';
import { idle, jpeg } from './helpers/service.ts';

// Every service that a test of this folder starts knows the canaries; closing it fails when its log, its errors or its
// database hold one. Here is shown that this would be noticed, and what else a client could try.

const LOGIN =
  'mutation ($u: String!, $p: String!) { login(input: { username: $u, password: $p }) { token user { id } } }';
const SECRET = CANARY_ENV.JWT_SECRET;
const hex = (text: string) => Buffer.from(text).toString('hex');
const base64 = (text: string) => Buffer.from(text).toString('base64');

it.each<[string, string]>([
  ['plain', `x${SECRET}x`],
  ['in hex', `x${hex(`ab${SECRET}`)}`],
  ['in base64', base64(`{"k":"${SECRET}"}`)],
  ['… moved by one', base64(`${SECRET}.`)],
  ['… moved by two', base64(`ab${SECRET}`)],
  ['a password, URL-encoded', `p=${encodeURIComponent(CANARY_PASSWORD)}&x`],
  [
    'a password of a form',
    `p=${new URLSearchParams({ p: CANARY_PASSWORD })}`.replaceAll('%3A', ':').replaceAll('%26', '&'),
  ],
  ['a token', 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln'],
  ['the signature of a link', `/files/a?e=1&s=${'x'.repeat(43)}`],
  ['… encoded', encodeURIComponent(`/files/a?e=1&s=${'x'.repeat(43)}`)],
  ['a position', '{"lat":52.52,"lon":13.4047}'],
  ['a serial number', 'Serial: BODY-SERIAL-77'],
])('C44: a canary is found: %s', (_, text) => {
  expect(secretsIn(text)).toHaveLength(1);
  expect(secretsIn(text.slice(0, 8))).toEqual([]);
});

it('C44: a service that gives a secret away fails the test: by its log', async () => {
  const app = await startApp();
  app.app.systemContext().log.info({ why: `signed with ${SECRET}` }, 'starting');
  await expect(app.close()).rejects.toThrow('C44: the log gives away canary-of-the-signing-secret');
  await rm(app.dataDir, { recursive: true });
});

it('C44: … by its database', async () => {
  const app = await startApp();
  await app.guest();
  await app.app.systemContext().em.execute(`update user set username = ?`, [base64(`:${CANARY_PASSWORD}`)]);
  await expect(app.close()).rejects.toThrow(/C44: the database heirloom.sqlite\S* gives away canary of a password/);
  await rm(app.dataDir, { recursive: true });
});

it('C44: … by an error', async () => {
  const body = JSON.stringify({ errors: [{ message: `no such key: ${SECRET}` }] });
  const server = createServer((_req, res) => res.end(body)).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await until(() => server.listening);
  const client = clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await expect(client.request('{ x }')).rejects.toThrow('C44: an error gives away');
});

it('C44: nothing that a photo, a sign-in or a link is made of gets out', async () => {
  const env = { ADMIN_USERNAME: 'root', ADMIN_PASSWORD: CANARY_PASSWORD };
  const app = await appForTest(env);
  const { login } = await app.ok(LOGIN, { u: 'root', p: CANARY_PASSWORD });
  expect((await app.request(LOGIN, { u: 'root', p: 'wrong horse' })).errors[0]?.extensions.code).toBe(
    'UNAUTHENTICATED',
  );
  // A password where a name belongs, a token where an id belongs.
  await app.request(LOGIN, { u: CANARY_PASSWORD, p: 'x' });
  const asId = await app.request('query ($id: ID!) { photo(id: $id) { id } }', { id: login.token }, login.token);
  expect(asId.data).toEqual({ photo: null });

  const xmp = '<x:xmpmeta><rdf:Description note="SECRET-XMP-55"/></x:xmpmeta>';
  const bytes = jpegWithXmp(jpegWithExif(await jpeg(950), cameraExif(6)), xmp);
  const { data } = await app.upload(
    RESTORE,
    { file: { bytes } },
    { options: { metadataPolicy: 'STRIP_PRIVATE' } },
    login.token,
  );
  const result = await app.ended(data.restorePhoto.restoration.id, login.token);
  expect(result.status).toBe('SUCCEEDED');
  const made = [result.url, ...result.renditions.map(({ url }: { url: string }) => url)];
  expect(made.length).toBeGreaterThan(2);
  for (const url of made) {
    const file = await send(url);
    expect([file.status, secretsIn(file.body.toString('latin1'))]).toEqual([200, []]);
  }
  // A photo that breaks after its EXIF block, so that what is logged is about it.
  const broken = await app.upload(UPLOAD, { file: { bytes: bytes.subarray(0, bytes.length - 900) } }, {}, login.token);
  expect(broken.errors.length + Number(broken.data !== null)).toBeGreaterThan(0);

  for (const url of [
    result.url,
    `${result.url}&x=1`,
    result.url.replace('s=', 's=A'),
    encodeURI(encodeURIComponent(result.url)),
  ]) {
    await fetch(url.startsWith('http:') ? url : `${app.url}/${url}`);
  }
  for (const path of [`/graphql/${login.token}`, `/?authorization=Bearer%20${login.token}`, `/Bearer ${login.token}`]) {
    await fetch(app.url + path);
    await fetch(app.url + path, { headers: { 'x-request-id': login.token, 'user-agent': login.token } });
  }
  await idle(app);
});

it('C44: a process of its own keeps them as well, killed or not', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-privacy-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const service = await startProcess(dataDir, {
    LOG_LEVEL: 'trace',
    ADMIN_USERNAME: 'root',
    ADMIN_PASSWORD: CANARY_PASSWORD,
  });
  const client = clientOf(service.url);
  const { login } = await client.ok(LOGIN, { u: 'root', p: CANARY_PASSWORD });
  const { data } = await client.upload(
    UPLOAD,
    { file: { bytes: jpegWithExif(await jpeg(951), cameraExif()) } },
    {},
    login.token,
  );
  expect((await fetch(data.uploadPhoto.photo.url)).status).toBe(200);
  await fetch(data.uploadPhoto.photo.url.replace('?', '?x=1&'));
  await until(() => service.lines.some((line) => line.includes('/files/')));
});

it('C44: whatever comes in, a line of log is one JSON object that a terminal can show', async () => {
  const lines: string[] = [];
  const app = await appForTest({ LOG_LEVEL: 'trace' }, lines);
  const { port } = new URL(app.url);
  for (const path of ['/\u009B31mred', '/\u0085next', '/%0d%0a{"level":60}', '/%1b[2J']) {
    const socket = await open(Number(port));
    socket.write(
      Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\u009Bb\r\nConnection: close\r\n\r\n`, 'latin1'),
    );
    await until(() => socket.readableEnded || socket.destroyed);
  }
  const operationName = 'A\r\n{"level":60}\u001B[31m\u2028';
  await send(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `query A { __typename }`, operationName }),
  });
  await until(() => lines.filter((line) => line.includes('"msg":"request"')).length >= 3);
  for (const line of lines) {
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number) });
    // eslint-disable-next-line no-control-regex
    expect(line).toMatch(/^[^\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]*\n$/);
  }
});

it('C44: tokens and signatures are cut out of whatever is logged, in any field', () => {
  let text = '';
  const log = createLog('info', new Writable({ write: (chunk, _, done) => ((text += String(chunk)), done()) }));
  const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzaWQiOiIwIn0.c2lnbmF0dXJlLW9mLWl0';
  const link = `http://localhost/files/a.webp?e=1800000000&s=${'Ab-_'.repeat(11).slice(1)}&download=1`;
  log.info({ a: { b: [token, link] }, url: link, headers: { authorization: `Bearer ${token}` } }, `${token} ${link}`);
  log.warn({ err: new Error(`GET ${link} with ${token}`, { cause: new Error(encodeURIComponent(link)) }) }, 'failed');
  expect(secretsIn(text)).toEqual([]);
  expect(text).not.toMatch(/c2lnbmF0|Ab-_Ab/);
  log.error({ name: '\u009B31m\u2028\u202Egpj' }, 'a\u0085b\u001B[0m');
  // eslint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]/);
  const [first, second, third] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(first.url).toBe('http://localhost/files/a.webp?e=1800000000&s=[redacted]&download=1');
  expect(second.err.cause.type).toBe('Error');
  expect(third).toMatchObject({ name: '\u009B31m\u2028\u202Egpj', msg: 'a\u0085b\u001B[0m' });
});

it('C44: what a stranger writes into a line costs neither time nor much room in it', async () => {
  let text = '';
  const log = createLog('info', new Writable({ write: (chunk, _, done) => ((text += String(chunk)), done()) }));
  const began = performance.now();
  for (const run of ['eyJ', 'eyJa.', 'eyJ.', 'bearer ', '?s=', 'a.']) log.info({ path: run.repeat(50_000) }, 'request');
  log.info({ path: `${'eyJ'.repeat(50_000)}.${'eyJ'.repeat(50_000)}` }, 'request');
  // Linear: 0.05 s; a search that begins anew at each `eyJ` takes minutes.
  expect(performance.now() - began).toBeLessThan(3000);
  log.info({ path: 'a.b.eyJh.eyJi.c2ln' }, 'request');
  expect(text).not.toContain('c2ln');

  const lines: string[] = [];
  const app = await appForTest({ LOG_LEVEL: 'info' }, lines);
  await send(`${app.url}/${'\\'.repeat(10_000)}`);
  await until(() => lines.some((line) => line.includes('"msg":"request"')));
  expect(lines.every((line) => line.length < 2500)).toBe(true);
});
