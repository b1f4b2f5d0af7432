import { createHash } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { retryDelaySeconds } from '../src/queue/backoff.ts';
import { allows, conflict, isFinal, TRANSITIONS, type Transition } from '../src/restorations/states.ts';
import { RESTORATION_STATUSES } from '../src/events/entity.ts';
import { photoPath, samplePath } from './fixtures/damage.ts';
import { bmp24 } from './fixtures/zoo/bmp.ts';
import { cameraExif, SECRETS } from './fixtures/zoo/exif.ts';
import { scenePixels } from './fixtures/zoo/scene.ts';
import { appForTest, RESTORE, startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { idle, jpeg, namedFiles, picture, sql, storedFiles, until } from './helpers/service.ts';

const BY_ID = `mutation ($id: ID!, $modelId: ID, $options: RestorationOptionsInput) {
  restorePhoto(input: { photoId: $id, modelId: $modelId, options: $options }) { photo { id } restoration { id status } } }`;
const act = (name: string): string =>
  `mutation ($id: ID!) { ${name}Restoration(input: { id: $id }) { restoration { id status stage percent } } }`;
const DELETE = `mutation ($id: ID!) { deleteRestoration(input: { id: $id }) { deletedRestorationId } }`;

let app: TestApp;
let token: string;
beforeAll(async () => {
  app = await startApp();
  token = await app.guest();
});
afterAll(() => app.close());

/** Uploads and restores; answers the restoration at its end. */
async function restored(bytes: Uint8Array, variables: object = {}, name = 'photo.jpg'): Promise<any> {
  const { data, errors } = await app.upload(RESTORE, { file: { bytes, name } }, variables, token);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return app.ended(data.restorePhoto.restoration.id, token);
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}

describe('the way of a photo', () => {
  const make: Record<string, () => Promise<Buffer>> = {
    jpeg: () => jpeg(1),
    png: () => picture(2).png().toBuffer(),
    webp: () => picture(3).webp().toBuffer(),
    tiff: () => picture(4).tiff().toBuffer(),
    gif: () => picture(5).gif().toBuffer(),
    avif: () => picture(6).avif({ effort: 0 }).toBuffer(),
    bmp: async () => bmp24(160, 120, scenePixels(160, 120)),
  };

  it.each([
    ['jpeg', 'jpeg'],
    ['png', 'png'],
    ['webp', 'webp'],
    ['tiff', 'png'],
    ['gif', 'png'],
    ['avif', 'webp'],
    ['bmp', 'png'],
  ])('%s comes back as %s', async (from, to) => {
    const result = await restored(await make[from]!(), {}, 'lies.xyz');
    expect(result).toMatchObject({
      status: 'SUCCEEDED',
      percent: 100,
      stage: null,
      format: to,
      width: 160,
      height: 120,
    });
    const bytes = await download(result.url);
    expect(await sharp(bytes).metadata()).toMatchObject({ format: to, width: 160, height: 120 });
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(result.sha256);
    expect(Number(result.bytes)).toBe(bytes.length);
    const { photo } = await app.ok('query ($id: ID!) { photo(id: $id) { format } }', { id: result.photo.id }, token);
    expect(photo.format).toBe(from);
  });

  it.each(['JPEG', 'PNG', 'WEBP'])('a result can be asked for as %s', async (outputFormat) => {
    const result = await restored(await jpeg(10), { options: { outputFormat } });
    expect((await sharp(await download(result.url)).metadata()).format).toBe(outputFormat.toLowerCase());
  });

  it('quality decides about the size, and only between 1 and 100', async () => {
    const photo = await jpeg(11);
    const small = await restored(photo, { options: { outputQuality: 20 } });
    const large = await restored(photo, { options: { outputQuality: 95 } });
    expect(Number(small.bytes) * 2).toBeLessThan(Number(large.bytes));
    for (const outputQuality of [0, 101]) {
      const { errors } = await app.upload(RESTORE, { file: { bytes: photo } }, { options: { outputQuality } }, token);
      expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.options.outputQuality' });
    }
  });

  it('upscale-2x doubles the sides, and the photo stays as it was', async () => {
    const photo = await jpeg(12);
    const result = await restored(photo, { modelId: 'upscale-2x' });
    expect(result).toMatchObject({ status: 'SUCCEEDED', width: 320, height: 240 });
    const { photo: original } = await app.ok(
      'query ($id: ID!) { photo(id: $id) { url width } }',
      { id: result.photo.id },
      token,
    );
    expect(original.width).toBe(160);
    expect((await download(original.url)).equals(photo)).toBe(true);
  });

  it('strength 0 changes nothing', async () => {
    const photo = await picture(13).png().toBuffer();
    const result = await restored(photo, { options: { strength: 0 } });
    const [before, after] = await Promise.all([
      sharp(photo).raw().toBuffer(),
      sharp(await download(result.url))
        .raw()
        .toBuffer(),
    ]);
    expect(after.equals(before)).toBe(true);
  });

  it('gives an unharmed photo back without compressing it again, and says so', async () => {
    const photo = await readFile(photoPath('rocket.jpg'));
    const { report, url, sha256, format, width, height, bytes } = await restored(photo);
    expect(report.gate).toMatchObject({ verdict: 'UNTOUCHED', reason: expect.stringContaining('as it was') });
    expect(report.steps.filter((step: any) => step.ran)).toEqual([]);
    const file = await download(url);
    expect({ sha256, format, bytes: Number(bytes) }).toEqual({
      sha256: createHash('sha256').update(file).digest('hex'),
      format: 'jpeg',
      bytes: file.length,
    });
    const pixelsOf = (of: Buffer): Promise<Buffer> => sharp(of).raw().toBuffer();
    expect((await pixelsOf(file)).equals(await pixelsOf(photo))).toBe(true);
    expect(await sharp(file).metadata()).toMatchObject({ width, height });
  });

  it('says what was compared with the photo, and what came of it', async () => {
    const { report } = await restored(await readFile(samplePath('astronaut.jpg')));
    expect(report.gate).toMatchObject({ verdict: 'PASSED', reason: expect.stringContaining('no harm') });
    expect(report.gate.measures.length).toBeGreaterThan(4);
    for (const { value, limit, held, unit, explanation } of report.gate.measures) {
      expect(held).toBe(value <= limit);
      expect(unit).not.toBe('');
      expect(explanation).toMatch(/.{15,}\.$/);
    }
  });

  it('says of every step what it did and why', async () => {
    const { report, runs, attempts } = await restored(await jpeg(14));
    expect(report.steps.length).toBeGreaterThan(2);
    for (const { reason, ran, strength } of report.steps) {
      expect(reason).toMatch(/^[A-Z].{10,}\.$/);
      expect(ran ? strength : -strength).toBeGreaterThanOrEqual(0);
    }
    expect([attempts, runs.length]).toEqual([1, 1]);
    expect(runs[0]).toMatchObject({ number: 1, provider: 'builtin', error: null });
    expect(runs[0].durationMs).toBeGreaterThan(0);
  });

  it('restores a photo that is there, again and with another model', async () => {
    const { photo } = (await app.upload(UPLOAD, { file: { bytes: await jpeg(15) } }, {}, token)).data.uploadPhoto;
    for (const modelId of ['auto', 'tone']) {
      const { restorePhoto } = await app.ok(BY_ID, { id: photo.id, modelId }, token);
      expect(restorePhoto.photo.id).toBe(photo.id);
      expect((await app.ended(restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
    }
    const { photo: after } = await app.ok(
      'query ($id: ID!) { photo(id: $id) { restorations { modelId } } }',
      { id: photo.id },
      token,
    );
    expect(after.restorations.map(({ modelId }: any) => modelId)).toEqual(['tone', 'auto']);
  });

  it('the same bytes are the same photo, also when they come at once', async () => {
    const bytes = await jpeg(16);
    const answers = await Promise.all(
      ['a.jpg', 'b.jpg', 'c.jpg'].map((name) => app.upload(UPLOAD, { file: { bytes, name } }, {}, token)),
    );
    const again = await app.upload(RESTORE, { file: { bytes } }, {}, token);
    const ids = [...answers.map(({ data }) => data.uploadPhoto.photo.id), again.data.restorePhoto.photo.id];
    expect(new Set(ids).size).toBe(1);
    const { sha256 } = answers[0]!.data.uploadPhoto.photo;
    expect(await sql(app, 'select id from photo where sha256 = ?', [sha256])).toHaveLength(1);
    const other = await app.upload(UPLOAD, { file: { bytes } }, {}, await app.guest());
    expect(other.data.uploadPhoto.photo.id).not.toBe(ids[0]);
    await app.ended(again.data.restorePhoto.restoration.id, token);
  });
});

describe('what is refused', () => {
  it('both, neither, or what is not there', async () => {
    const known = (await app.upload(UPLOAD, { file: { bytes: await jpeg(20) } }, {}, token)).data.uploadPhoto.photo.id;
    const both = `mutation ($file: Upload!, $id: ID) { restorePhoto(input: { file: $file, photoId: $id }) { photo { id } } }`;
    const { errors } = await app.upload(both, { file: { bytes: await jpeg(21) } }, { id: known }, token);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.file' });
    const neither = await app.request('mutation { restorePhoto(input: {}) { photo { id } } }', {}, token);
    expect(neither.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.file' });
    const theirs = await app.guest();
    for (const id of [known, 'nonsense', Buffer.from('Photo:x').toString('base64')]) {
      const answer = await app.request(BY_ID, { id }, theirs);
      expect([answer.status, answer.errors[0]?.extensions.code]).toEqual([404, 'NOT_FOUND']);
    }
    expect((await app.request(BY_ID, { id: known })).errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  });

  it.each([
    [{ modelId: 'nope' }, 'UNKNOWN_MODEL', 'input.modelId'],
    [{ modelId: 'upscale-2x', options: { upscale: 3 } }, 'BAD_USER_INPUT', 'input.options.upscale'],
    [{ modelId: 'tone', options: { upscale: 2 } }, 'BAD_USER_INPUT', 'input.options.upscale'],
    [{ options: { strength: 1.5 } }, 'BAD_USER_INPUT', 'input.options.strength'],
    [{ options: { strength: -0.1 } }, 'BAD_USER_INPUT', 'input.options.strength'],
    [{ options: { parameters: { wings: 2 } } }, 'BAD_USER_INPUT', 'input.options.parameters.wings'],
    [{ key: '' }, 'BAD_USER_INPUT', 'input.idempotencyKey'],
    [{ key: 'x'.repeat(201) }, 'BAD_USER_INPUT', 'input.idempotencyKey'],
  ])('%j is %s', async (variables, code, field) => {
    const { errors } = await app.upload(RESTORE, { file: { bytes: await jpeg(22) } }, variables, token);
    expect(errors[0]?.extensions).toMatchObject({ code, field });
  });

  it('of a size that the format cannot hold is refused when it is asked for', async () => {
    const own = await appForTest();
    const guest = await own.guest();
    const bytes = await jpeg(3, 4200, 8);
    const variables = { options: { upscale: 4, outputFormat: 'WEBP' } };
    const { errors } = await own.upload(RESTORE, { file: { bytes } }, variables, guest);
    expect(errors[0]).toMatchObject({
      message: 'The result is 16800 pixels long; WEBP can hold 16383. Choose PNG or a smaller upscale.',
      extensions: { code: 'BAD_USER_INPUT', field: 'input.options.outputFormat' },
    });
    expect(await storedFiles(own.dataDir)).toEqual([]);
  });

  it('every refusal leaves no file and no row', async () => {
    const own = await appForTest({
      MAX_OUTPUT_MEGAPIXELS: '0.05',
      MAX_UPLOAD_SIZE_MB: '0.1',
      MAX_QUEUED_PER_SESSION: '1',
    });
    const guest = await own.guest();
    const send = async (bytes: Uint8Array, variables: object = {}) =>
      (await own.upload(RESTORE, { file: { bytes } }, variables, guest)).errors[0]?.extensions.code;
    const good = await jpeg(23);
    expect(await send(good, { modelId: 'upscale-2x' })).toBe('IMAGE_TOO_LARGE');
    expect(await send(good, { options: { outputQuality: 999 } })).toBe('BAD_USER_INPUT');
    expect(await send(Buffer.from('GIF89a no image'))).toMatch(/IMAGE/);
    expect(await send(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toBe('UNSUPPORTED_IMAGE');
    expect(await send(good.subarray(0, good.length >> 1))).toBe('CORRUPT_IMAGE');
    expect(await send(Buffer.alloc(100_001, 1))).toBe('PAYLOAD_TOO_LARGE');
    await until(async () => (await storedFiles(own.dataDir)).length === 0, 2000);
    for (const table of ['photo', 'restoration', 'job', 'event', 'submission']) {
      expect(await sql(own, `select * from ${table}`)).toEqual([]);
    }
  });
});

describe('renditions and files', () => {
  it('a photo and its result come in four sizes, ORIGINAL on the first request, none enlarged', async () => {
    const big = await restored(await jpeg(30, 1600, 900));
    await idle(app);
    const sizes = [
      ['THUMBNAIL', 150, 84],
      ['PREVIEW', 400, 225],
      ['MEDIUM', 600, 338],
      ['LARGE', 1200, 675],
    ];
    const names = (list: any[]) => list.map(({ name, width, height }) => [name, width, height]);
    const PHOTO = `query ($id: ID!) { photo(id: $id) { renditions { name width height bytes url } selected { id } } }`;
    const { photo } = await app.ok(PHOTO, { id: big.photo.id }, token);
    expect(names(photo.renditions)).toEqual(sizes);
    expect(names(big.renditions)).toEqual(sizes);
    for (const { url, width, height } of [...photo.renditions, ...big.renditions]) {
      expect(await sharp(await download(url)).metadata()).toMatchObject({ format: 'webp', width, height });
    }
    const ORIGINAL = `query ($photo: ID!, $id: ID!) {
      photo(id: $photo) { rendition(name: ORIGINAL) { width height url } }
      restoration(id: $id) { rendition(name: ORIGINAL) { width height url } } }`;
    const both = { photo: big.photo.id, id: big.id };
    const answers = await Promise.all([1, 2, 3].map(() => app.ok(ORIGINAL, both, token)));
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[0].photo.rendition).toMatchObject({ width: 1600, height: 900 });
    await download(answers[2].restoration.rendition.url);
    expect((await storedFiles(app.dataDir)).filter((file) => file.endsWith('original.webp'))).toHaveLength(2);
    const small = await restored(await jpeg(31));
    expect(names(small.renditions).at(-1)).toEqual(['LARGE', 160, 120]);
  });

  it('links serve ranges and names, and lead nowhere once the photo has gone', async () => {
    const result = await restored(await jpeg(32), {}, 'Großmutter 1931.jpeg');
    const { restoration } = await app.ok(
      'query ($id: ID!) { restoration(id: $id) { url(download: true, expiresIn: 60) } }',
      { id: result.id },
      token,
    );
    const answer = await fetch(restoration.url, { headers: { range: 'bytes=0-1' } });
    expect([answer.status, Buffer.from(await answer.arrayBuffer()).toString('hex')]).toEqual([206, 'ffd8']);
    expect(decodeURIComponent(answer.headers.get('content-disposition')!)).toMatch(
      /^attachment.*Großmutter 1931-restored\.jpg/,
    );
    expect((await fetch(`${result.url}0`)).status).toBe(403);
    await idle(app);
    const before = await storedFiles(app.dataDir);
    await app.ok(
      'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }',
      { id: result.photo.id },
      token,
    );
    expect((await fetch(result.url)).status).toBe(404);
    expect((await fetch(result.renditions[0].url)).status).toBe(404);
    expect(before.length - (await storedFiles(app.dataDir)).length).toBe(10);
    for (const expiresIn of [59, 604_801]) {
      const { errors } = await app.request(
        `{ viewer { photos(first: 1) { edges { node { url(expiresIn: ${expiresIn}) } } } } }`,
        {},
        token,
      );
      expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'expiresIn' });
    }
  });

  it('C34: private metadata leaves in no rendition, and in the result only where it was asked for', async () => {
    const plain = await jpeg(33, 200, 150);
    const block = Buffer.concat([Buffer.from('Exif\0\0'), cameraExif(6)]);
    const segment = Buffer.alloc(4);
    segment.writeUInt16BE(0xffe1, 0);
    segment.writeUInt16BE(block.length + 2, 2);
    const photo = Buffer.concat([plain.subarray(0, 2), segment, block, plain.subarray(2)]);
    const kept: Record<string, boolean> = {};
    for (const metadataPolicy of ['KEEP', 'STRIP_PRIVATE', 'STRIP_ALL']) {
      const result = await restored(photo, { options: { metadataPolicy } });
      expect(result).toMatchObject({ width: 150, height: 200 });
      const bytes = await download(result.url);
      const { exif, orientation } = await sharp(bytes).metadata();
      expect(orientation ?? 1).toBe(1);
      kept[metadataPolicy] = bytes.includes('BODY-SERIAL-77');
      expect(SECRETS.filter((secret) => metadataPolicy !== 'KEEP' && bytes.includes(secret))).toEqual([]);
      expect(exif?.includes('Acme') ?? false).toBe(metadataPolicy !== 'STRIP_ALL');
      for (const { url } of result.renditions) {
        const { exif: none, xmp } = await sharp(await download(url)).metadata();
        expect([none, xmp]).toEqual([undefined, undefined]);
      }
    }
    expect(kept).toEqual({ KEEP: true, STRIP_PRIVATE: false, STRIP_ALL: false });
  });
});

describe('what its owner can do', () => {
  it('selects an attempt; the newest success stands in until then', async () => {
    const bytes = await jpeg(40);
    const first = await restored(bytes);
    const second = await restored(bytes, { modelId: 'tone' });
    const SELECTED = 'query ($id: ID!) { photo(id: $id) { selected { id } } }';
    const selected = async () => (await app.ok(SELECTED, { id: first.photo.id }, token)).photo.selected?.id;
    expect(await selected()).toBe(second.id);
    await app.ok(act('select'), { id: first.id }, token);
    expect(await selected()).toBe(first.id);
    await app.ok(DELETE, { id: first.id }, token);
    expect(await selected()).toBe(second.id);
    await app.ok(DELETE, { id: second.id }, token);
    expect(await selected()).toBeUndefined();
    await idle(app);
    expect((await storedFiles(app.dataDir)).filter((file) => !file.startsWith('tmp'))).toEqual(await namedFiles(app));
  });

  it('cancels what waits or runs, retries what has ended without a result, and nothing else', async () => {
    const own = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1' });
    const guest = await own.guest();
    const slow = await jpeg(41, 1000, 800);
    const start = async () =>
      (await own.upload(RESTORE, { file: { bytes: slow } }, {}, guest)).data.restorePhoto.restoration.id as string;
    const status = async (id: string) =>
      (await own.ok('query ($id: ID!) { restoration(id: $id) { status } }', { id }, guest)).restoration.status;
    const refused = async (name: string, id: string) => {
      const { status: http, errors } = await own.request(act(name), { id }, guest);
      return [http, errors[0]?.extensions.code];
    };
    const [runs, waits] = [await start(), await start()];
    await until(async () => (await status(runs)) === 'RUNNING');
    // Retrying what goes on must not disturb it.
    for (const id of [runs, waits]) expect(await refused('retry', id)).toEqual([409, 'CONFLICT']);
    for (const id of [runs, waits]) expect(await refused('select', id)).toEqual([409, 'CONFLICT']);
    expect(await sql(own, "select ref_id from job where kind = 'restoration'")).toHaveLength(2);

    for (const id of [waits, runs]) {
      const began = performance.now();
      const { cancelRestoration } = await own.ok(act('cancel'), { id }, guest);
      expect(performance.now() - began).toBeLessThan(1000);
      expect(cancelRestoration.restoration).toMatchObject({ status: 'CANCELLED', stage: null });
    }
    for (const name of ['cancel', 'select']) expect(await refused(name, runs)).toEqual([409, 'CONFLICT']);
    await idle(own);
    expect(await sql(own, 'select finished_at from run where finished_at is null')).toEqual([]);

    // A double click: one wins, and the work is still done.
    const twice = await Promise.all([1, 2].map(() => own.request(act('retry'), { id: runs }, guest)));
    expect(twice.map(({ status: http }) => http).toSorted()).toEqual([200, 409]);
    expect(await own.ended(runs, guest)).toMatchObject({ status: 'SUCCEEDED', attempts: 2 });
    for (const name of ['cancel', 'retry']) expect(await refused(name, runs)).toEqual([409, 'CONFLICT']);

    // Retried at once, while the cancelled work may still be letting go.
    await own.ok(act('retry'), { id: waits }, guest);
    await until(async () => (await status(waits)) === 'RUNNING');
    await own.ok(act('cancel'), { id: waits }, guest);
    await own.ok(act('retry'), { id: waits }, guest);
    expect((await own.ended(waits, guest)).status).toBe('SUCCEEDED');
    await idle(own);
    expect(await storedFiles(own.dataDir)).toEqual(await namedFiles(own));

    const foreign = await own.guest();
    for (const name of ['cancel', 'retry', 'select']) {
      const { errors } = await own.request(act(name), { id: runs }, foreign);
      expect(errors[0]?.extensions.code).toBe('NOT_FOUND');
    }
    expect((await own.request(DELETE, { id: runs }, foreign)).errors[0]?.extensions.code).toBe('NOT_FOUND');
  });

  it('an original that has vanished or rotted fails the restoration with a code, and a retry mends it', async () => {
    const bytes = await jpeg(42);
    const { photo } = (await app.upload(UPLOAD, { file: { bytes } }, {}, token)).data.uploadPhoto;
    await idle(app);
    const [row] = await sql<{ key: string }>(app, 'select storage_key as key from photo where sha256 = ?', [
      photo.sha256,
    ]);
    const path = join(app.dataDir, row!.key);
    await rm(path);
    const { restorePhoto } = await app.ok(BY_ID, { id: photo.id }, token);
    const { id } = restorePhoto.restoration;
    const gone = await app.ended(id, token);
    expect(gone).toMatchObject({ status: 'FAILED', attempts: 1, error: { code: 'NOT_FOUND', retryable: false } });
    expect(gone.runs[0].error.code).toBe('NOT_FOUND');
    await writeFile(path, bytes);
    await app.ok(act('retry'), { id }, token);
    expect(await app.ended(id, token)).toMatchObject({ status: 'SUCCEEDED', attempts: 2, error: null });

    await writeFile(path, bytes.subarray(0, bytes.length >> 1));
    const rotten = await app.ok(BY_ID, { id: photo.id }, token);
    const failed = await app.ended(rotten.restorePhoto.restoration.id, token);
    expect(failed.status).toBe('FAILED');
    expect(failed.error.message).not.toContain(app.dataDir);
    expect((await stat(path)).size).toBe(bytes.length >> 1);
  });
});

describe('the table of states', () => {
  const LIFE: [Transition, string[], string][] = [
    ['claim', ['QUEUED'], 'RUNNING'],
    ['succeed', ['RUNNING'], 'SUCCEEDED'],
    ['postpone', ['RUNNING'], 'QUEUED'],
    ['fail', ['QUEUED', 'RUNNING'], 'FAILED'],
    ['cancel', ['QUEUED', 'RUNNING'], 'CANCELLED'],
    ['release', ['RUNNING'], 'QUEUED'],
    ['retry', ['FAILED', 'CANCELLED'], 'QUEUED'],
  ];

  it.each(LIFE)('%s leads from %j to %s, and from nowhere else', (transition, from, to) => {
    expect(RESTORATION_STATUSES.filter((status) => allows(transition, status))).toEqual(from);
    expect(TRANSITIONS[transition].to).toBe(to);
  });

  it('knows every transition, and which states are the end', () => {
    expect(Object.keys(TRANSITIONS).toSorted()).toEqual(LIFE.map(([name]) => name).toSorted());
    expect(RESTORATION_STATUSES.filter(isFinal)).toEqual(['SUCCEEDED', 'FAILED', 'CANCELLED']);
    expect(conflict('cancel', 'SUCCEEDED')).toMatchObject({ code: 'CONFLICT', http: 409 });
  });
});

describe('C9: the wait before the next try', () => {
  it('doubles, keeps half of it random, ends at a minute, and gives way to the provider', () => {
    const range = (attempt: number) => [0, 1].map((random) => retryDelaySeconds(attempt, 10, undefined, random));
    expect([1, 2, 3, 4, 5].map(range)).toEqual([
      [5, 10],
      [10, 20],
      [20, 40],
      [30, 60],
      [30, 60],
    ]);
    expect(retryDelaySeconds(1, 10, 120, 0.5)).toBe(120);
    expect(retryDelaySeconds(1, 10, 1, 0)).toBe(5);
    expect(retryDelaySeconds(3, 0, undefined, 1)).toBe(0);
  });
});
