import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { parse as parseDisposition } from 'content-disposition';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../src/errors.ts';
import type { ServedFile } from '../src/http/files.ts';
import { createLinks } from '../src/storage/links.ts';
import { startEdge, type Edge } from './helpers/edge.ts';
import { send } from './helpers/raw-http.ts';

const CONTENT = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));
const links = createLinks({ keys: ['new key', 'old key'] });
const known = new Map<string, ServedFile>();
const file = (path: string, facts: Partial<ServedFile> = {}) => {
  known.set(path, { storageKey: 'a', mimeType: 'image/jpeg', filename: 'scan.jpg', etag: 'abc', ...facts });
  return path;
};

const HOUR = 3_600_000;
const at = (now: number) => createLinks({ keys: ['k'], now: () => now });

let edge: Edge;
beforeAll(async () => {
  edge = await startEdge({
    files: {
      links,
      source: { find: async (path) => known.get(path) ?? null },
      storage: {
        stat: async (key) => (key === 'gone' ? null : { bytes: CONTENT.length, modifiedAt: new Date() }),
        open: async (_key, range) => Readable.from([range ? CONTENT.subarray(range.start, range.end + 1) : CONTENT]),
      },
    },
  });
});
afterAll(() => edge.stop());

const get = (link: string, headers = {}, method = 'GET') => send(edge.url + link, { headers, method });

describe('signed links', () => {
  it('stay the same within the hour and last at least as long as asked', () => {
    const [early, late, next] = [1000 * HOUR + 1, 1001 * HOUR - 1, 1001 * HOUR + 1].map((now) =>
      at(now).sign('a/b.webp'),
    );
    expect(early).toBe(late);
    expect(next).not.toBe(late);
    expect(at(1001 * HOUR - 1 + HOUR).verify(late!)).toMatchObject({ path: 'a/b.webp', download: false });
  });

  it('C42: end a second after their expiry', () => {
    const link = at(1000 * HOUR).sign('a', { expiresIn: 3600 });
    expect(at(1001 * HOUR - 1).verify(link)?.expiresAt).toEqual(new Date(1001 * HOUR));
    expect(at(1001 * HOUR).verify(link)).toBeNull();
    expect(at(1001 * HOUR + 1000).verify(link)).toBeNull();
  });

  it.each([0, 59, 604_801, -1, 1.5, Number.NaN])('an expiry of %d seconds is refused', (expiresIn) => {
    expect(() => links.sign('a', { expiresIn })).toThrow(AppError);
  });

  it('C42: are accepted under an old key as long as it is listed', () => {
    const old = createLinks({ keys: ['old key'] }).sign('a');
    expect(links.verify(old)).not.toBeNull();
    expect(createLinks({ keys: ['new key'] }).verify(old)).toBeNull();
    expect(createLinks({ keys: ['new key'] }).verify(links.sign('a'))).not.toBeNull();
  });

  it('C42: no bit may be changed, nothing left out, doubled, moved or added', () => {
    const link = links.sign('photos/a.webp', { download: true });
    expect(links.verify(link)).toMatchObject({ path: 'photos/a.webp', download: true });
    const [path, e, s] = /^(.*)\?e=(\d+)&s=(.*)&download=1$/.exec(link)!.slice(1) as [string, string, string];
    for (let index = 0; index < link.length; index++) {
      for (const bit of [1, 2, 4, 8, 16, 32]) {
        const flipped =
          link.slice(0, index) + String.fromCharCode(link.charCodeAt(index) ^ bit) + link.slice(index + 1);
        expect(links.verify(flipped)).toBeNull();
      }
    }
    for (const other of [
      path,
      `${path}?e=${e}`,
      `${path}?s=${s}`,
      `${path}?e=${e}&s=`,
      `${path}?e=${e}&s=${s}`,
      `${path}?s=${s}&e=${e}&download=1`,
      `${path}?e=${e}&s=${s}&s=${s}&download=1`,
      `${path}?e=${e}&e=${e}&s=${s}&download=1`,
      `${path}?e=${e}&s=${s}&download=1&download=1`,
      `${path}?e=${e}&s=${s}&download=1&x=1`,
      `${path}?e=${e}&s=${s}&download=1#x`,
      `${path}?e=0${e}&s=${s}&download=1`,
      `${path}?e=${Number(e) + 3600}&s=${s}&download=1`,
      `${path}/?e=${e}&s=${s}&download=1`,
      link.replace('a.webp', 'b.webp'),
      link.replace('photos/a', 'photos/../photos/a'),
      link.replace('photos/a', 'photos%2Fa'),
    ]) {
      expect({ other, verified: links.verify(other) }).toEqual({ other, verified: null });
    }
  });
});

describe('GET /files', () => {
  it('serves the file with what browsers need to know', async () => {
    const answer = await get(links.sign(file('a')), { origin: 'http://localhost:3000' });
    expect(answer.status).toBe(200);
    expect(answer.body.equals(CONTENT)).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'image/jpeg',
      'content-length': '1000',
      'content-disposition': 'inline; filename=scan.jpg',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': 'http://localhost:3000',
      'accept-ranges': 'bytes',
      etag: '"abc"',
    });
    const age = Number(/^private, immutable, max-age=(\d+)$/.exec(answer.headers['cache-control']!)![1]);
    expect(age).toBeGreaterThan(3590);
    expect(age).toBeLessThanOrEqual(7200);
  });

  it('HEAD has the same headers and no body', async () => {
    const answer = await get(links.sign(file('a')), {}, 'HEAD');
    expect([answer.status, answer.headers['content-length'], answer.body.length]).toEqual([200, '1000', 0]);
    // A range is for GET alone (RFC 9110, section 14.2).
    const ranged = await get(links.sign(file('a')), { range: 'bytes=0-9' }, 'HEAD');
    expect([ranged.status, ranged.headers['content-length'], ranged.body.length]).toEqual([200, '1000', 0]);
    const unchanged = await get(links.sign(file('a')), { 'if-none-match': '"abc"' }, 'HEAD');
    expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
  });

  it.each([
    ['bytes=0-9', 206, 'bytes 0-9/1000', 10],
    ['bytes=990-', 206, 'bytes 990-999/1000', 10],
    ['bytes=-5', 206, 'bytes 995-999/1000', 5],
    ['bytes=0-99999', 206, 'bytes 0-999/1000', 1000],
    ['bytes=1000-', 416, 'bytes */1000', 0],
    ['bytes=-0', 416, 'bytes */1000', 0],
    ['bytes=5-1', 200, undefined, 1000],
    ['bytes=0-1,5-6', 200, undefined, 1000],
    ['pages=1-2', 200, undefined, 1000],
    ['bytes=-', 200, undefined, 1000],
    ['bytes=-99999', 206, 'bytes 0-999/1000', 1000],
    ['bytes=0-99999999999999999999999', 206, 'bytes 0-999/1000', 1000],
    ['bytes=99999999999999999999999-', 416, 'bytes */1000', 0],
    ['bytes=999-999', 206, 'bytes 999-999/1000', 1],
    ['bytes=0-0,0-0', 200, undefined, 1000],
    ['bytes=0-500,400-900', 200, undefined, 1000],
    [`bytes=${Array.from({ length: 2000 }, (_, n) => `${n}-`).join(',')}`, 200, undefined, 1000],
    ['bytes=0x1-', 200, undefined, 1000],
    ['bytes=-1-2', 200, undefined, 1000],
    ['bytes=1.5-2', 200, undefined, 1000],
    ['bytes 0-1', 200, undefined, 1000],
  ])('range %s is %d', async (range, status, contentRange, length) => {
    const answer = await get(links.sign(file('a')), { range });
    expect([answer.status, answer.headers['content-range'], answer.body.length]).toEqual([
      status,
      contentRange,
      length,
    ]);
    const start = Number(/bytes (\d+)/.exec(contentRange ?? '')?.[1] ?? 0);
    expect(answer.body.equals(CONTENT.subarray(start, start + length))).toBe(true);
  });

  it('If-Range and If-None-Match are kept', async () => {
    const link = links.sign(file('a'));
    expect((await get(link, { range: 'bytes=0-1', 'if-range': '"abc"' })).status).toBe(206);
    expect((await get(link, { range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
    for (const tag of ['"abc"', 'W/"abc"', '"x", "abc"', '*']) {
      const answer = await get(link, { 'if-none-match': tag });
      expect([answer.status, answer.headers.etag, answer.body.length]).toEqual([304, '"abc"', 0]);
    }
    expect((await get(link, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('C42: a bad link is 403, a file that is gone 404, both with a code', async () => {
    const bad = await get(`${links.sign(file('a'))}x`);
    expect([bad.status, bad.json.errors[0].extensions.code]).toEqual([403, 'FORBIDDEN']);
    expect(bad.headers['cache-control']).toBe('no-store');
    for (const path of ['never', file('removed', { storageKey: 'gone' })]) {
      const gone = await get(links.sign(path));
      expect([gone.status, gone.json.errors[0].extensions.code]).toEqual([404, 'NOT_FOUND']);
    }
    expect((await get(links.sign(file('a')), {}, 'POST')).status).toBe(405);
  });

  it('many over one connection leave nothing behind on it', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => void warnings.push(warning);
    process.on('warning', note);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; n < 15; n++) {
      expect((await send(edge.url + links.sign(file('a')), { agent })).status).toBe(200);
    }
    agent.destroy();
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('what a browser could run is offered for saving', async () => {
    for (const mimeType of ['text/html', 'image/svg+xml', 'application/zip', 'no type\r\nX-Evil: 1']) {
      const answer = await get(links.sign(file('odd', { mimeType })));
      expect(answer.headers['content-disposition']).toMatch(/^attachment/);
      expect(answer.headers['x-evil']).toBeUndefined();
    }
  });

  it('C44: the signature is never logged', async () => {
    const link = links.sign(file('a'));
    await get(link);
    expect(edge.lines.some((line) => line.includes('"path":"/files/a"'))).toBe(true);
    expect(edge.lines.join('')).not.toContain(/s=([\w-]+)/.exec(link)![1]!);
  });
});

describe('C25: names', () => {
  it.each([
    '../../etc/passwd',
    '..\\..\\windows',
    'a\r\nSet-Cookie: x=1',
    'a\nX-Evil: 1',
    'nul\u0000.jpg',
    'quote".jpg',
    'back\\slash.jpg',
    'semi;colon=1.jpg',
    '\u202Egpj.exe',
    'Großmutter.jpg',
    'Großmutter.jpg'.normalize('NFD'),
    '👵🏽.jpg',
    'lone \uD800 surrogate.jpg',
    'x'.repeat(1000),
    '',
    '.htaccess',
    'CON',
    '%0d%0aX-Evil: 1',
    "utf-8''evil",
    '\u001B[31mred.jpg',
  ])('%j breaks no header', async (filename) => {
    const answer = await get(links.sign(file('named', { filename }), { download: true }));
    expect(answer.status).toBe(200);
    const header = answer.headers['content-disposition']!;
    expect(header).toMatch(/^attachment; filename/);
    expect(answer.headers['x-evil'] ?? answer.headers['set-cookie']).toBeUndefined();
    const { filename: read } = parseDisposition(header).parameters;
    // eslint-disable-next-line no-control-regex
    expect(read).not.toMatch(/[\u0000-\u001F\u202E]/);
  });

  it.each(['Großmutter.jpg', '👵🏽.jpg', 'quote".jpg', 'a b; c=1.jpg'])('%s arrives as it was', async (filename) => {
    const answer = await get(links.sign(file('named', { filename }), { download: true }));
    expect(parseDisposition(answer.headers['content-disposition']!).parameters['filename']).toBe(filename);
  });
});
