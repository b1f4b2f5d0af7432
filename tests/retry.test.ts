import { describe, expect, it } from 'vitest';
import { AppError } from '../src/errors.ts';
import { retryDelaySeconds } from '../src/queue/backoff.ts';
import { balanced, rowsOf } from './helpers/books.ts';
import { folderForTest, startScripted } from './helpers/scripted.ts';
import { jpeg, until } from './helpers/service.ts';

const BASE_SECONDS = 0.2;
const env = { RETRY_DELAY_SECONDS: String(BASE_SECONDS), MAX_ATTEMPTS: '4', MAX_CONCURRENT_RESTORATIONS: '4' };

const down = (details = {}): never => {
  throw new AppError('PROVIDER_UNAVAILABLE', 'The provider is down.', { provider: 'builtin', ...details });
};

const rowOf = (dataDir: string, id: string): any =>
  rowsOf(
    dataDir,
    'select status, attempts, tries_left as tries, error_code as code from restoration where id = ?',
    id,
  )[0];
const runsOf = (dataDir: string, id: string): any[] =>
  rowsOf(
    dataDir,
    'select number, started_at as began, finished_at as ended, error_code as code from run where restoration_id = ? order by number',
    id,
  );
const done = (dataDir: string): Promise<unknown> =>
  until(() => rowsOf(dataDir, 'select 1 from job').length === 0, 25_000);

/** Seconds from the end of each try to the begin of the next. */
function waitsOf(dataDir: string, id: string): number[] {
  const runs = runsOf(dataDir, id);
  return runs.slice(1).map(({ began }, index) => (began - runs[index].ended) / 1000);
}

it('C9: a provider that asks for a thousand years is asked again after a day', () => {
  expect(retryDelaySeconds(1, 10, 31_536_000_000, 0.5)).toBe(86_400);
});

describe('C9: a try that failed', () => {
  it('is repeated after a wait that doubles, differs from one to the other, and ends with MAX_ATTEMPTS', async () => {
    const dataDir = await folderForTest();
    const service = await startScripted(dataDir, () => down(), env);
    const ids: string[] = [];
    for (let seed = 1200; seed < 1206; seed++) ids.push(await service.submit(await jpeg(seed)));
    await done(dataDir);
    const firsts = new Set<number>();
    for (const id of ids) {
      expect(rowOf(dataDir, id)).toMatchObject({
        status: 'FAILED',
        attempts: 4,
        tries: 0,
        code: 'PROVIDER_UNAVAILABLE',
      });
      const waits = waitsOf(dataDir, id);
      expect(waits).toHaveLength(3);
      for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual((BASE_SECONDS * 2 ** index) / 2);
      firsts.add(waits[0]!);
    }
    expect(firsts.size).toBeGreaterThan(3);
    await balanced(dataDir);
  });

  it('waits as long as its schedule says, and not longer', async () => {
    const dataDir = await folderForTest();
    const service = await startScripted(dataDir, () => down(), env);
    const { em } = await service.context();
    await em.execute('create table planned (at)');
    await em.execute(`create trigger plan after update of not_before on job when new.kind = 'restoration'
      begin insert into planned values (new.not_before); end`);
    const id = await service.submit(await jpeg(1210));
    await done(dataDir);
    const runs = runsOf(dataDir, id);
    const planned = rowsOf(dataDir, 'select at from planned order by at').map(
      ({ at }, index) => (at - runs[index].ended) / 1000,
    );
    expect(planned).toHaveLength(3);
    for (const [index, seconds] of planned.entries()) {
      const full = BASE_SECONDS * 2 ** index;
      expect(seconds).toBeGreaterThanOrEqual(full / 2);
      // The rest is the writing down.
      expect(seconds).toBeLessThanOrEqual(full + 0.5);
    }
  });

  it('waits at least as long as the provider asked for, and says so', async () => {
    const dataDir = await folderForTest();
    const service = await startScripted(
      dataDir,
      ({ attempt }) => (attempt === 1 ? down({ retryAfter: 1.5 }) : undefined),
      env,
    );
    const id = await service.submit(await jpeg(1220));
    await done(dataDir);
    expect(rowOf(dataDir, id)).toMatchObject({ status: 'SUCCEEDED', attempts: 2, code: null });
    const [wait] = waitsOf(dataDir, id);
    expect(wait).toBeGreaterThanOrEqual(1.5);
  });

  it.each(['PROVIDER_REJECTED', 'PROVIDER_CREDENTIALS', 'PROVIDER_QUOTA', 'BAD_USER_INPUT', 'CORRUPT_IMAGE'] as const)(
    'with %s is not repeated',
    async (code) => {
      const dataDir = await folderForTest();
      const service = await startScripted(
        dataDir,
        () => {
          throw new AppError(code, 'No.');
        },
        env,
      );
      const id = await service.submit(await jpeg(1230));
      await done(dataDir);
      expect(rowOf(dataDir, id)).toMatchObject({ status: 'FAILED', attempts: 1, code });
      await balanced(dataDir);
    },
  );

  it('counts on over restarts in the middle of its waits, which end no earlier and cost no try', async () => {
    const dataDir = await folderForTest();
    const slow = { ...env, RETRY_DELAY_SECONDS: '2', MAX_ATTEMPTS: '3' };
    const first = await startScripted(dataDir, () => down(), slow);
    const id = await first.submit(await jpeg(1240));
    await until(() => rowOf(dataDir, id).attempts === 1 && rowOf(dataDir, id).status === 'QUEUED', 5000, 2);
    await first.close();
    const [job] = rowsOf(dataDir, 'select not_before as at, crashes from job where ref_id = ?', id);
    expect(job.crashes).toBe(0);
    const second = await startScripted(dataDir, () => down(), slow);
    await until(() => rowOf(dataDir, id).attempts === 2 && rowOf(dataDir, id).status === 'QUEUED', 5000, 2);
    await second.close();
    expect(runsOf(dataDir, id)[1].began).toBeGreaterThanOrEqual(job.at);
    await startScripted(dataDir, () => down(), slow);
    await done(dataDir);
    expect(rowOf(dataDir, id)).toMatchObject({ status: 'FAILED', attempts: 3, tries: 0, code: 'PROVIDER_UNAVAILABLE' });
    expect(runsOf(dataDir, id).map(({ code }) => code)).toEqual(Array(3).fill('PROVIDER_UNAVAILABLE'));
    await balanced(dataDir);
  });
});
