import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESTORE, startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { idle, jpeg, namedFiles, sql, storedFiles } from './helpers/service.ts';

const BY_ID = `mutation ($id: ID!, $key: String, $options: RestorationOptionsInput) {
  restorePhoto(input: { photoId: $id, idempotencyKey: $key, options: $options }) { restoration { id status } } }`;

let app: TestApp;
let token: string;
let photoId: string;
beforeAll(async () => {
  app = await startApp();
  token = await app.guest();
  photoId = (await app.upload(UPLOAD, { file: { bytes: await jpeg(100) } }, {}, token)).data.uploadPhoto.photo.id;
});
afterAll(() => app.close());

const byId = async (key: string, options: object = {}, as = token) =>
  app.request(BY_ID, { id: photoId, key, options }, as);
const idOf = ({ data, errors }: any): string => {
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.restorePhoto.restoration.id;
};

describe('C4: the same idempotency key', () => {
  it('gives the same restoration to requests that come at once and to those that come later', async () => {
    const ids = (await Promise.all(Array.from({ length: 8 }, () => byId('at once')))).map(idOf);
    expect(new Set(ids).size).toBe(1);
    expect((await app.ended(ids[0]!, token)).status).toBe('SUCCEEDED');
    expect(idOf(await byId('at once'))).toBe(ids[0]);
    expect(idOf(await byId('another'))).not.toBe(ids[0]);
    const runs = await sql(
      app,
      `select r.id from restoration r join submission s on s.restoration_id = r.id where s.key = 'at once'`,
    );
    expect(runs).toHaveLength(1);
    const ends = await sql(
      app,
      `select e.seq from event e join submission s on s.restoration_id = e.restoration_id
      where s.key = 'at once' and e.status = 'SUCCEEDED'`,
    );
    expect(ends).toHaveLength(1);
  });

  it('with a file gives one photo, one restoration, and leaves no file of the losers', async () => {
    const bytes = await jpeg(101);
    const send = () => app.upload(RESTORE, { file: { bytes } }, { key: 'file' }, token);
    const answers = [...(await Promise.all([send(), send(), send()])), await send()];
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(new Set(answers.map(({ data }) => data.restorePhoto.photo.id)).size).toBe(1);
    await app.ended(idOf(answers[0]), token);
    await idle(app);
    expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
  });

  it('with another body is CONFLICT, and what came with it is not kept', async () => {
    const id = idOf(await byId('body', { strength: 0.5 }));
    const other = await byId('body', { strength: 0.6 });
    expect([other.status, other.errors[0]?.extensions]).toMatchObject([
      409,
      { code: 'CONFLICT', field: 'input.idempotencyKey' },
    ]);
    const file = await app.upload(RESTORE, { file: { bytes: await jpeg(102) } }, { key: 'body' }, token);
    expect(file.errors[0]?.extensions.code).toBe('CONFLICT');
    // Said in other words it is the same: defaults are filled in before bodies are compared.
    expect(idOf(await byId('body', { strength: 0.5, outputFormat: 'ORIGINAL', upscale: null }))).toBe(id);
    await idle(app);
    expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
  });

  it("is nothing to do with another user's", async () => {
    const other = await app.guest();
    const bytes = await jpeg(103);
    const mine = await app.upload(RESTORE, { file: { bytes } }, { key: 'shared' }, token);
    const theirs = await app.upload(RESTORE, { file: { bytes: await jpeg(104) } }, { key: 'shared' }, other);
    expect(idOf(theirs)).not.toBe(idOf(mine));
  });

  it('is forgotten after 24 hours, and with its restoration', async () => {
    const first = idOf(await byId('day'));
    await sql(app, "update submission set created_at = created_at - 86399000 where key = 'day'");
    expect(idOf(await byId('day'))).toBe(first);
    await sql(app, "update submission set created_at = created_at - 2000 where key = 'day'");
    const second = idOf(await byId('day', { strength: 0.1 }));
    expect(second).not.toBe(first);
    await app.ok(
      'mutation ($id: ID!) { deleteRestoration(input: { id: $id }) { deletedRestorationId } }',
      { id: second },
      token,
    );
    expect(idOf(await byId('day', { strength: 0.2 }))).not.toBe(second);
    await sql(app, 'update submission set created_at = created_at - 86401000');
    // The clean-up that follows a start may be there first.
    await app.app.services.cleanup.run();
    expect(await sql(app, 'select id from submission')).toEqual([]);
  });
});
