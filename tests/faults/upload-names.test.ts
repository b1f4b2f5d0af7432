import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseDisposition } from 'content-disposition';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostileImages } from '../fixtures/zoo/index.ts';
import { NAUGHTY_NAMES } from '../fixtures/naughty-names.ts';
import { startApp, UPLOAD, type TestApp } from '../helpers/app.ts';
import { END, part, postMultipart, send } from '../helpers/raw-http.ts';
import { jpeg, picture, sql, storedFiles, until } from '../helpers/service.ts';

const UPLOAD_NAMED = `mutation ($file: Upload!) { uploadPhoto(input: { file: $file }) {
  photo { id originalFilename format url(download: true) } } }`;

let app: TestApp;
let token: string;
const lines: string[] = [];
beforeAll(async () => {
  app = await startApp({ LOG_LEVEL: 'info' }, lines);
  token = await app.guest();
});
afterAll(() => app.close());

/**
 * A photo of its own under a name. It goes out as a browser would write it, or, where a header cannot hold it, as RFC 8187
 * would, with every byte.
 */
async function uploadAs(filename: string, seed: number) {
  const given = /[\p{Cc}"\\]/u.test(filename)
    ? `filename*=UTF-8''${encodeURIComponent(filename.toWellFormed()).replaceAll(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`)}`
    : `filename="${filename}"`;
  const body = Buffer.concat([
    part('name="operations"', JSON.stringify({ query: UPLOAD_NAMED, variables: { file: null } })),
    part('name="map"', '{"0":["variables.file"]}'),
    part(`name="0"; ${given}`, await jpeg(seed, 16, 16), 'image/jpeg'),
    END,
  ]);
  return postMultipart(app.url, body, { token });
}

describe('C25: names', () => {
  it('whatever a file is called, it lies under a name of ours, is shown cleaned and breaks no header', async () => {
    const wrong: unknown[] = [];
    for (const [index, filename] of NAUGHTY_NAMES.entries()) {
      const answer = await uploadAs(filename, index + 1);
      const { photo } = answer.json.data?.uploadPhoto ?? {};
      if (answer.status !== 200 || photo === undefined) {
        // busboy takes a part without a file name for a field; that is all that may be refused.
        if (filename !== '' || answer.status !== 400) wrong.push([filename, answer.status, answer.text]);
        continue;
      }
      const shown: string = photo.originalFilename;
      const clean =
        shown !== '' &&
        Buffer.byteLength(shown) <= 255 &&
        shown === shown.normalize('NFC') &&
        !/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069\\/]/u.test(shown);
      const { headers } = await send(photo.url);
      const disposition = headers['content-disposition']!;
      const names = Object.keys(headers).filter((name) => /evil|cookie/.test(name));
      const { type, parameters } = parseDisposition(disposition);
      const safe = type === 'attachment' && parameters['filename'] === shown && /^[\x20-\x7e]+$/.test(disposition);
      if (!clean || !safe || names.length > 0) wrong.push([filename, shown, disposition, names]);
    }
    expect(wrong).toEqual([]);

    const rows = await sql<{ id: string; session_id: string; storage_key: string }>(app, 'select * from photo');
    expect(rows.length).toBeGreaterThan(NAUGHTY_NAMES.length - 5);
    for (const { id, session_id, storage_key } of rows) {
      const [folder, session, name, ...deeper] = storage_key.split('/');
      expect([folder, session, deeper]).toEqual(['uploads', session_id, []]);
      expect(name!.startsWith(`${id}_`)).toBe(true);
      expect(name!.slice(id.length + 1)).toMatch(/^[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]*$/u);
      expect(Buffer.byteLength(name!)).toBeLessThanOrEqual(255);
    }
    const originals = (await storedFiles(app.dataDir)).filter((path) => path.startsWith('uploads/'));
    for (const { storage_key } of rows) expect(originals).toContain(storage_key);
    expect((await readdir(app.dataDir)).filter((name) => name.startsWith('.') || name === 'x')).toEqual([]);
    for (const line of lines) expect(() => JSON.parse(line)).not.toThrow();
  });
});

describe('C26: a wrong type and extension', () => {
  it('change nothing: every picture of the zoo is judged by its bytes alone', async () => {
    const honest: [string, Buffer, string][] = [];
    for (const format of ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const) {
      honest.push([format, await picture(77, 64, 48).toFormat(format).toBuffer(), format]);
    }
    for (const [name, bytes, format] of honest) {
      const { data, errors } = await app.upload(
        UPLOAD,
        { file: { bytes, name: 'photo.png', type: 'image/png' } },
        {},
        token,
      );
      expect([name, errors, data?.uploadPhoto.photo.format]).toEqual([name, [], format]);
    }
    const wrong: unknown[] = [];
    for (const { name, bytes, codes } of await hostileImages()) {
      const { status, errors, data } = await app.upload(
        UPLOAD,
        { file: { bytes, name: 'photo.png', type: 'image/png' } },
        {},
        token,
      );
      const code = errors[0]?.extensions.code as (typeof codes)[number];
      if (!codes.includes(code) || status >= 500 || data?.uploadPhoto) wrong.push([name, status, code]);
    }
    expect(wrong).toEqual([]);
    await until(async () => (await readdir(join(app.dataDir, 'tmp'))).every((name) => !name.endsWith('.part')));
  });
});
