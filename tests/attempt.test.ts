import { setTimeout as wait } from 'node:timers/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { Raster } from '../src/imaging/raster.ts';
import type { Provider } from '../src/providers/provider.ts';
import { createAttempt } from '../src/restorations/attempt.ts';
import { createProgress } from '../src/restorations/progress.ts';
import { appForTest, UPLOAD, type TestApp } from './helpers/app.ts';
import { scriptProvider } from './helpers/scripted-provider.ts';
import { idle, jpeg, namedFiles, sql, storedFiles, until } from './helpers/service.ts';
import { blur, fade, grain, photoPath, readPhoto } from './fixtures/damage.ts';

const QUEUE = `mutation ($id: ID!, $options: RestorationOptionsInput) {
  restorePhoto(input: { photoId: $id, options: $options }) { restoration { id } } }`;
const CANCEL = 'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { status } } }';
const STATUS = 'query ($id: ID!) { restoration(id: $id) { status stage } }';
const RENDITIONS = 'query ($id: ID!) { photo(id: $id) { renditions { name } } }';

async function uploaded(app: TestApp, token: string, bytes: Uint8Array): Promise<string> {
  const { data, errors } = await app.upload(UPLOAD, { file: { bytes } }, {}, token);
  expect(errors).toEqual([]);
  return data.uploadPhoto.photo.id;
}
const queued = async (app: TestApp, token: string, id: string, options: object = {}): Promise<string> =>
  (await app.ok(QUEUE, { id, options }, token)).restorePhoto.restoration.id;

/** Does nothing until it is stopped, and counts how many do so at once. */
function hangs() {
  const count = { now: 0, most: 0, begun: 0 };
  const restore: Provider['restore'] = async (_request, { signal }) => {
    count.now += 1;
    count.begun += 1;
    count.most = Math.max(count.most, count.now);
    try {
      return await wait(2 ** 30, undefined as never, { signal });
    } finally {
      count.now -= 1;
    }
  };
  return { count, restore };
}

describe('C6: a provider that hangs', () => {
  it('is stopped after the time-out, a hundred times over, and no place is lost', { timeout: 60_000 }, async () => {
    const places = 34;
    const app = await appForTest({
      JOB_TIMEOUT_SECONDS: '3',
      MAX_ATTEMPTS: '1',
      MAX_CONCURRENT_RESTORATIONS: String(places),
      MAX_CONCURRENT_RESTORATIONS_PER_SESSION: String(places),
      SHUTDOWN_GRACE_SECONDS: '0',
    });
    const { count, restore } = hangs();
    scriptProvider(app.app, () => restore);
    const token = await app.guest();
    const photo = await uploaded(app, token, await jpeg(601));
    const ids = await Promise.all(Array.from({ length: 100 }, () => queued(app, token, photo)));
    await idle(app);
    expect(count).toMatchObject({ now: 0, begun: 100 });
    expect(count.most).toBeLessThanOrEqual(places);
    for (const id of [ids[0]!, ids[99]!]) {
      const error = { code: 'PROVIDER_TIMEOUT', retryable: true };
      expect(await app.ended(id, token)).toMatchObject({ status: 'FAILED', attempts: 1, error });
    }
    const failed = await sql(app, "select 1 from restoration where status = 'FAILED'");
    expect(failed).toHaveLength(100);

    // As many run at once as before, and no more.
    await Promise.all(Array.from({ length: places + 5 }, () => queued(app, token, photo)));
    await until(() => count.now === places, 5000);
    expect(count.most).toBe(places);
    await idle(app);
    expect(await storedFiles(app.dataDir)).toEqual(await namedFiles(app));
  });
});

it('previews of a fresh photo do not wait behind restorations', async () => {
  const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1', SHUTDOWN_GRACE_SECONDS: '0' });
  const { count, restore } = hangs();
  scriptProvider(app.app, () => restore);
  const token = await app.guest();
  const first = await uploaded(app, token, await jpeg(602));
  await Promise.all(Array.from({ length: 20 }, () => queued(app, token, first)));
  await until(() => count.now === 1);
  const fresh = await uploaded(app, token, await jpeg(603, 1200, 900));
  await until(async () => (await app.ok(RENDITIONS, { id: fresh }, token)).photo.renditions.length === 4);
  expect(count).toEqual({ now: 1, most: 1, begun: 1 });
});

describe('a cancel ends the work at its next step and leaves no file', async () => {
  const inTmp = (files: string[]): boolean => files.some((file) => file.startsWith('tmp'));
  const stored = (files: string[], what: string): boolean =>
    files.some((file) => file.startsWith('processed') && file.endsWith(what));
  const encoded = ({ data, width, height, channels }: Raster): Promise<Buffer> =>
    sharp(data, { raw: { width, height, channels } }).jpeg({ quality: 99 }).toBuffer();
  const clean = await readPhoto(photoPath('coffee.png'));
  const faded = await encoded(grain(fade(clean), 10));
  const soft = await encoded(await blur(clean, 1.5));
  /** What is restored with which enlargement, and when it is cancelled. */
  const phases = {
    decoding: [faded, 4, 'PREPARING'],
    denoising: [faded, 4, 'DENOISING'],
    toning: [faded, 4, 'COLOURING'],
    enlarging: [faded, 4, 'UPSCALING'],
    sharpening: [soft, 1, 'FINISHING'],
    encoding: [faded, 4, inTmp],
    'making renditions': [faded, 4, (files: string[]) => stored(files, '.jpg') && inTmp(files)],
    storing: [faded, 4, (files: string[]) => stored(files, '.thumbnail.webp')],
  } as const;

  it.each(Object.entries(phases))('while %s', async (_name, [bytes, upscale, phase]) => {
    const app = await appForTest({ MAX_CONCURRENT_RESTORATIONS: '1', SHUTDOWN_GRACE_SECONDS: '0' });
    const token = await app.guest();
    const photo = await uploaded(app, token, bytes);
    await idle(app);
    const before = await storedFiles(app.dataDir);
    let cancel: Promise<string> | undefined;
    let restoration = '';
    let stopped: NodeJS.CpuUsage | undefined;
    const reported: string[] = [];
    const stop = (): void => {
      cancel ??= app
        .ok(CANCEL, { id: restoration }, token)
        .then(({ cancelRestoration }) => cancelRestoration.restoration.status);
    };
    scriptProvider(app.app, (real) => async (request, context) => {
      const { signal } = context;
      signal.addEventListener('abort', () => (stopped = process.cpuUsage()), { once: true });
      await until(() => restoration !== '');
      return real(request, {
        signal,
        onProgress(progress) {
          context.onProgress(progress);
          reported.push(stopped === undefined ? progress.stage : `${progress.stage} after the cancel`);
          if (progress.stage === phase && progress.percent < 100) stop();
        },
      });
    });
    restoration = await queued(app, token, photo, { upscale });
    if (typeof phase !== 'string') {
      await until(async () => phase(await storedFiles(app.dataDir)), 20_000, 1);
      stop();
    }
    expect(await until(() => cancel, 20_000)).toBe('CANCELLED');
    await idle(app);
    // Half a second of work at the most: in processor time, since the machine may have other things to do.
    const { user, system } = process.cpuUsage(stopped!);
    expect((user + system) / 1000).toBeLessThan(500);
    // The tiles that had begun are finished, and no step begins.
    expect(reported.filter((stage) => stage.endsWith('after the cancel'))).toEqual([]);
    const files = await until(async () => {
      const now = await storedFiles(app.dataDir);
      return inTmp(now) ? null : now;
    });
    expect(stopped).toBeDefined();
    expect(files).toEqual(before);
    expect(await namedFiles(app)).toEqual(before);
    expect((await app.ok(STATUS, { id: restoration }, token)).restoration).toEqual({
      status: 'CANCELLED',
      stage: null,
    });
  });
});

it('no percent is published ahead of a stage that is still being written', async () => {
  const published: string[] = [];
  const written = Promise.withResolvers<void>();
  let writes = 0;
  const row = { id: 'a', modelId: 'm', options: { parameters: {} }, stage: null, attempts: 1, fence: 1, lastEvent: 1 };
  const deps = {
    fork: () => ({ transactional: (work: (em: object) => unknown) => work({}) }),
    storage: { local: async () => ({ path: 'photo.jpg', [Symbol.asyncDispose]: async () => {} }) },
    results: { store: async () => ({ columns: {}, renditions: [] }) },
    log: {},
    progress: createProgress(),
    journal: {
      async stage(_em: object, _id: string, _fence: number, patch: { stage: string }) {
        writes += 1;
        if (patch.stage === 'DENOISING') await written.promise;
        return { restoration: { ...row, ...patch } };
      },
      publish: ({ restoration }: any) => published.push(`stage ${restoration.stage}`),
      publishLive: (_restoration: object, percent: number) => published.push(`percent ${percent}`),
    },
    models: {
      async resolve() {
        const restore: Provider['restore'] = async (_request, { onProgress }) => {
          await until(() => published.includes('stage PREPARING'));
          onProgress({ stage: 'DENOISING', percent: 10 });
          await until(() => writes === 2);
          // Three times as long as the time between two percents, while the stage waits for the database.
          for (let percent = 11; percent < 41; percent++) {
            onProgress({ stage: 'DENOISING', percent });
            await wait(10);
          }
          written.resolve();
          await until(() => published.includes('stage DENOISING'));
          onProgress({ stage: 'DENOISING', percent: 50 });
          await until(() => published.includes('percent 45'));
          return { picture: { kind: 'file', path: 'result.png' }, report: { steps: [], gate: null } };
        };
        return { model: { model: 'm', options: [] }, provider: { id: 'scripted', restore } };
      },
    },
  };
  await createAttempt(deps as any)(row as any, {} as any, new AbortController().signal);
  expect(published.slice(0, 2)).toEqual(['stage PREPARING', 'stage DENOISING']);
  expect(published.length).toBeGreaterThan(2);
});
