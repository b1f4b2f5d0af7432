import { expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';
import { appForTest, RESTORE, UPLOAD, type TestApp } from './helpers/app.ts';
import { balanced } from './helpers/books.ts';
import { idle, jpeg, sql } from './helpers/service.ts';

const DELETE = 'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }';

const broken = (fault: string): Promise<TestApp> =>
  appForTest({ FAILPOINT: fault, MAX_CONCURRENT_RESTORATIONS: '1', SHUTDOWN_GRACE_SECONDS: '0' });

it.each([
  ['when the upload has been written to the temporary folder', 'upload-spooled:throw'],
  ['when the original has been moved into the storage', 'original-stored:throw'],
])(
  'C3: a disk that fails %s is STORAGE_UNAVAILABLE, leaves nothing, and the next try succeeds',
  async (_when, fault) => {
    const app = await broken(fault);
    const token = await app.guest();
    const bytes = await jpeg(700);
    const failed = await app.upload(RESTORE, { file: { bytes } }, { key: 'again' }, token);
    expect([failed.status, failed.errors[0]?.extensions.code]).toEqual([503, 'STORAGE_UNAVAILABLE']);
    expect(JSON.stringify(failed.errors)).not.toContain('EIO');
    expect(await sql(app, 'select id from photo union all select id from restoration')).toEqual([]);
    await balanced(app.dataDir, { ms: 2000 });

    const { data } = await app.upload(RESTORE, { file: { bytes } }, { key: 'again' }, token);
    expect((await app.ended(data.restorePhoto.restoration.id, token)).status).toBe('SUCCEEDED');
    await idle(app);
    await balanced(app.dataDir, { ms: 2000 });
  },
);

it.each([
  ['when the provider has answered', 'result-made:throw'],
  ['when the result has been stored', 'result-stored:throw'],
  ['when the third rendition of the result has been stored', 'result-rendition-stored:throw:3'],
])('C3: a disk that fails %s costs one try, which leaves nothing', async (_when, fault) => {
  const app = await broken(fault);
  const token = await app.guest();
  const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(701) } }, {}, token);
  const ended = await app.ended(data.restorePhoto.restoration.id, token);
  expect(ended).toMatchObject({ status: 'SUCCEEDED', attempts: 2 });
  expect(ended.runs.map((run: any) => run.error?.code ?? null)).toEqual(['STORAGE_UNAVAILABLE', null]);
  expect(ended.renditions).toHaveLength(4);
  await idle(app);
  await balanced(app.dataDir, { ms: 2000 });
});

it('C3: a disk that fails at every try ends in FAILED with a code, and leaves nothing', async () => {
  const app = await appForTest({ FAILPOINT: 'result-stored:throw', MAX_ATTEMPTS: '1' });
  const token = await app.guest();
  const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(702) } }, {}, token);
  const ended = await app.ended(data.restorePhoto.restoration.id, token);
  expect(ended).toMatchObject({ status: 'FAILED', attempts: 1, error: { code: 'STORAGE_UNAVAILABLE' } });
  await idle(app);
  await balanced(app.dataDir, { ms: 2000 });
});

it('C3: what fails when the success has been written takes no file away from it', async () => {
  const app = await broken('success-committed:throw');
  const token = await app.guest();
  const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(703) } }, {}, token);
  const ended = await app.ended(data.restorePhoto.restoration.id, token);
  expect(ended).toMatchObject({ status: 'SUCCEEDED', attempts: 1 });
  await idle(app);
  await balanced(app.dataDir, { ms: 2000 });
  expect((await fetch(ended.url)).status).toBe(200);
});

it('C3: a disk that fails when a rendition of a photo has been stored: they are made again, none twice', async () => {
  const app = await broken('rendition-stored:throw:2');
  const token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(704) } }, {}, token);
  await idle(app);
  await balanced(app.dataDir, { ms: 2000 });
  const { photo } = await app.ok(
    'query ($id: ID!) { photo(id: $id) { renditions { name } } }',
    { id: data.uploadPhoto.photo.id },
    token,
  );
  expect(photo.renditions).toHaveLength(4);
});

it('C3: a disk that fails while a photo is deleted: it is gone, and the next clean-up takes the file that stayed', async () => {
  const app = await broken('rows-erased:throw');
  const token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(705) } }, {}, token);
  await idle(app);
  await app.ok(DELETE, { id: data.uploadPhoto.photo.id }, token);
  await expect(balanced(app.dataDir, { ms: 0 })).rejects.toThrow('no row names');
  await app.app.close();
  const next = await appForTest({ DATA_DIR: app.dataDir });
  await balanced(next.dataDir, { ms: 5000 });
});

it('C3: failpoints are named, and none is taken in production', () => {
  const production = {
    NODE_ENV: 'production',
    JWT_SECRET: 'a secret of more than thirty-two characters',
    PUBLIC_URL: 'https://photos.example.org',
  };
  expect(readConfig({ FAILPOINT: 'result-stored:throw:3' }).fault).toEqual({
    point: 'result-stored',
    action: 'throw',
    time: 3,
  });
  expect(readConfig(production).fault).toBeUndefined();
  expect(() => readConfig({ ...production, FAILPOINT: 'result-stored:kill' })).toThrow('FAILPOINT is set');
  for (const wrong of ['result-stored', 'nowhere:kill', 'result-stored:kill:0', 'result-stored:explode'])
    expect(() => readConfig({ FAILPOINT: wrong })).toThrow('must be NAME:kill, NAME:stop or NAME:throw');
});
