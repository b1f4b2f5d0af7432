import type { EntityManager } from '@mikro-orm/sqlite';
import { expect, it } from 'vitest';
import { localId } from '../src/graphql/global-id.ts';
import { appForTest, UPLOAD } from './helpers/app.ts';
import { jpeg, sql, until } from './helpers/service.ts';

const QUEUE = `mutation ($id: ID!) {
  restorePhoto(input: { photoId: $id, modelId: "upscale-4x" }) { restoration { id } } }`;
const RETRY = 'mutation ($id: ID!) { retryRestoration(input: { id: $id }) { restoration { status } } }';

/** Its transactions end as they do, and then something else happens before anybody hears of it. */
function thenFirst(em: EntityManager, meanwhile: () => Promise<unknown>): EntityManager {
  const transactional = em.transactional.bind(em) as (work: unknown) => Promise<unknown>;
  return Object.assign(em, {
    async transactional(work: unknown) {
      const result = await transactional(work);
      await meanwhile();
      return result;
    },
  });
}

it.each(['WAITING', 'RUNNING'])(
  'C4: a restoration that was %s and is queued again right after the commit of its cancelling goes on',
  async (state) => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1', SHUTDOWN_GRACE_SECONDS: '0' });
    const token = await app.guest();
    const { data } = await app.upload(UPLOAD, { file: { bytes: await jpeg(500, 240, 180) } }, {}, token);
    const queued = async (): Promise<string> =>
      (await app.ok(QUEUE, { id: data.uploadPhoto.photo.id }, token)).restorePhoto.restoration.id;
    const [first, second] = [await queued(), await queued()];
    const id = state === 'RUNNING' ? first : second;
    const restorationId = localId('Restoration', id);
    const row = async (): Promise<any> =>
      (await sql(app, 'select status, attempts from restoration where id = ?', [restorationId]))[0];
    if (state === 'RUNNING') await until(async () => (await row()).status === 'RUNNING');

    const { services, systemContext } = app.app;
    const { actor } = await services.auth.authenticate(token, '127.0.0.1');
    const context = systemContext();
    const em = thenFirst(context.em, () => app.ok(RETRY, { id }, token));
    const cancelled = await services.restorations.cancel({ ...context, actor, em }, restorationId);
    expect(cancelled.status).toBe('CANCELLED');
    expect(await app.ended(id, token)).toMatchObject({ status: 'SUCCEEDED' });
    expect((await row()).attempts).toBe(state === 'RUNNING' ? 2 : 1);
  },
);
