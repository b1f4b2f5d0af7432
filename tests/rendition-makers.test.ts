import { setTimeout as wait } from 'node:timers/promises';
import type { EntityManager } from '@mikro-orm/sqlite';
import { expect, it } from 'vitest';
import { localId } from '../src/graphql/global-id.ts';
import { appForTest, UPLOAD } from './helpers/app.ts';
import { idle, jpeg, namedFiles, sql, storedFiles } from './helpers/service.ts';

/** Its transactions fail, once `until` is over. */
function failing(em: EntityManager, until: () => Promise<unknown>): EntityManager {
  return Object.assign(em, {
    async transactional() {
      await until();
      throw new Error('the disk is full');
    },
  });
}

it('a request that fails to make a rendition takes no file away from another that has made the same one', async () => {
  const app = await appForTest();
  const { services, systemContext } = app.app;
  const token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(801) } }, {}, token);
  await idle(app);
  const { actor } = await services.auth.authenticate(token, '127.0.0.1');
  const context = () => ({ ...systemContext(), actor });
  const photo = await services.photos.get(context(), localId('Photo', data.uploadPhoto.photo.id));

  const second = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<void>();
  const bad = context();
  const em = failing(bad.em, () => {
    begun.resolve();
    // The other one may have finished by now, or may wait for this one.
    return Promise.race([second.promise, wait(500)]);
  });
  const first = services.photos.rendition({ ...bad, em }, photo, 'ORIGINAL');
  first.catch(() => {});
  await begun.promise;
  second.resolve(services.photos.rendition(context(), photo, 'ORIGINAL'));
  expect(await second.promise).toMatchObject({ name: 'ORIGINAL' });
  await expect(first).rejects.toThrow('the disk is full');
  expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
});

it('many requests for the same rendition make it once', async () => {
  const app = await appForTest();
  const { services, systemContext } = app.app;
  const token = await app.guest();
  const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(802) } }, {}, token);
  const { actor } = await services.auth.authenticate(token, '127.0.0.1');
  const context = () => ({ ...systemContext(), actor });
  const photo = await services.photos.get(context(), localId('Photo', data.uploadPhoto.photo.id));
  // The preparer may be at it, too.
  const names = ['LARGE', 'ORIGINAL', 'LARGE', 'THUMBNAIL', 'ORIGINAL', 'LARGE'] as const;
  const made = await Promise.all(names.map((name) => services.photos.rendition(context(), photo, name)));
  expect(made.map((rendition) => rendition?.name)).toEqual(names);
  expect(new Set(made.map((rendition) => rendition?.id)).size).toBe(3);
  await idle(app);
  expect(await sql(app, 'select name from rendition')).toHaveLength(5);
  expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
});
