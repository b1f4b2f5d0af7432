import { connect } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createLinks } from '../src/storage/links.ts';
import { startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { CANARY_ENV } from './helpers/canaries.ts';
import { send } from './helpers/raw-http.ts';
import { idle, jpeg } from './helpers/service.ts';

const QUERY = 'query ($id: ID!) { photo(id: $id) { url(download: true) renditions { name url } } }';
const keys = CANARY_ENV.URL_SIGNING_KEYS.split(',');

let app: TestApp;
let token: string;
/** Signed, without what comes before the path. */
let link: string;
let thumbnail: string;
let saved: string;
beforeAll(async () => {
  app = await startApp();
  token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(970, 640, 480) } }, {}, token);
  await idle(app);
  const { id, url } = data.uploadPhoto.photo;
  const { photo } = await app.ok(QUERY, { id }, token);
  const pathOf = (address: string) => address.slice(app.url.length);
  link = pathOf(url);
  saved = pathOf(photo.url);
  thumbnail = pathOf(photo.renditions[0].url);
});
afterAll(() => app.close());

/** What the service answers to a request line as it is; clients would tidy the path up. */
async function raw(path: string): Promise<{ status: number; code: string | undefined; answer: string }> {
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
  socket.write(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`, 'latin1'));
  const answer = await text(socket);
  return { status: Number(answer.slice(9, 12)), code: /"code":"(\w+)"/.exec(answer)?.[1], answer };
}

it('C42: files come with nosniff, their type, a sandbox and a cache entry that lasts as long as the link', async () => {
  for (const [path, disposition] of [
    [link, 'inline'],
    [saved, 'attachment'],
    [thumbnail, 'inline'],
  ] as const) {
    const { status, headers } = await send(app.url + path);
    expect([status, headers['x-content-type-options'], headers['content-security-policy']]).toEqual([
      200,
      'nosniff',
      "default-src 'none'; sandbox",
    ]);
    expect(headers['content-type']).toMatch(/^image\/(jpeg|webp)$/);
    expect(headers['content-disposition']).toMatch(new RegExp(`^${disposition}\\b`));
    expect(headers['cache-control']).toMatch(/^private, immutable, max-age=\d+$/);
    expect(headers.etag).toMatch(/^"[^"]+"$/);
  }
});

it('C42: no character of a link may be another one, none left out and none added', async () => {
  const tried: string[] = [];
  for (let at = '/files/'.length; at < link.length; at++) {
    const other = link[at] === 'A' ? 'B' : 'A';
    tried.push(link.slice(0, at) + other + link.slice(at + 1), link.slice(0, at) + link.slice(at + 1));
  }
  const [path = '', query = ''] = link.split('?');
  const [e = '', s = ''] = query.split('&');
  tried.push(
    path,
    `${path}?${e}`,
    `${path}?${s}`,
    `${path}?${s}&${e}`,
    `${path}?${query}&${s}`,
    `${path}?${query}&${e}`,
  );
  tried.push(`${path}?${query}&s=`, `${path}?s=x&${query}`, `${path}?${query}&download=1`, `${path}?${query}&width=9`);
  tried.push(`${path}?${query}&`, `${path}?&${query}`, `${path}?${query}%00`, `${path}?${query};x=1`);
  tried.push(`${path}/?${query}`, `/${link}`, link.toUpperCase(), saved.replace('&download=1', ''));
  // The signature of one file on the path of another.
  tried.push(`${path}?${thumbnail.split('?')[1]}`, `${thumbnail.split('?')[0]}?${query}`);
  const wrong = new Set<string>();
  for (const address of tried) {
    const { status, json } = await send(app.url + address);
    // Without `/files/` in front there is nothing at all.
    const expected = address.startsWith('/files/') ? '403 FORBIDDEN' : '404 NOT_FOUND';
    const got = `${status} ${json.errors[0].extensions.code}`;
    if (got !== expected) wrong.add(`${address}: ${got}`);
  }
  expect([...wrong]).toEqual([]);
  expect((await send(app.url + link)).status).toBe(200);
});

it('C42: a link that ended is 403', async () => {
  const path = decodeURIComponent(link.split('?')[0]!.slice('/files/'.length));
  const at = (ms: number) => createLinks({ keys, now: () => Date.now() + ms }).sign(path, { expiresIn: 60 });
  expect((await send(app.url + at(0))).status).toBe(200);
  // Ends at the full hour that lies behind us, by less than an hour.
  const ended = await send(app.url + at(-3_660_000));
  expect([ended.status, ended.json.errors[0].extensions.code]).toEqual([403, 'FORBIDDEN']);
});

it('C42: an old key is good as long as it is listed, and not a day longer', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-links-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const [older, newer] = [keys[1]!, keys[0]!];
  const ask = async (signingKeys: string, path?: string) => {
    const own = await startApp({ DATA_DIR: dataDir, URL_SIGNING_KEYS: signingKeys });
    try {
      if (path !== undefined) return String((await send(own.url + path)).status);
      const bytes = await jpeg(971);
      const { data } = await own.upload(UPLOAD, { file: { bytes } }, {}, await own.guest());
      return data.uploadPhoto.photo.url.slice(own.url.length) as string;
    } finally {
      await own.close();
    }
  };
  const old = await ask(older);
  expect(await ask(`${newer},${older}`, old)).toBe('200');
  expect(await ask(newer, old)).toBe('403');
});

it('C42: no path leads out of the files, in whatever encoding, signed or not', async () => {
  const outs = [
    '../heirloom.sqlite',
    '../../../../etc/passwd',
    '..\\..\\heirloom.sqlite',
    '/etc/passwd',
    './../secret',
    'a/../../heirloom.sqlite',
    '....//....//etc/passwd',
    'uploads/../heirloom.sqlite',
    'a\u0000.jpg',
    'C:\\windows\\win.ini',
    '~/.ssh/id_rsa',
    '__proto__',
    'constructor',
    '',
  ];
  const encodings: ((path: string) => string)[] = [
    (path) => path,
    encodeURIComponent,
    (path) => encodeURIComponent(encodeURIComponent(path)),
    (path) => path.replaceAll('.', '%2e').replaceAll('/', '%2F').replaceAll('\\', '%5C'),
    (path) => path.replaceAll('.', '%c0%ae').replaceAll('/', '%c0%af'),
    (path) => path.replaceAll('.', '%u002e').replaceAll('/', '%u2215'),
    (path) => path.replaceAll('/', '\\'),
  ];
  const [, query = ''] = link.split('?');
  for (const out of outs) {
    for (const encoded of encodings.map((encode) => encode(out))) {
      for (const end of ['', `?${query}`]) {
        const { status, code, answer } = await raw(`/files/${encoded}${end}`);
        expect([encoded, status, code ?? answer.split('\r\n')[0]]).toEqual([
          encoded,
          expect.toSatisfy((number) => [400, 403, 404].includes(number)),
          expect.stringMatching(/^(FORBIDDEN|NOT_FOUND|HTTP\/1\.1 400 Bad Request)$/),
        ]);
      }
    }
    // As if we had signed it: even then it names no file of ours.
    const { status, code } = await raw(createLinks({ keys }).sign(out));
    expect([out, status, code]).toEqual([
      out,
      expect.toSatisfy((number) => [403, 404].includes(number)),
      expect.any(String),
    ]);
  }
});
