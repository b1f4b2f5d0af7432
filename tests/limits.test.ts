import { describe, expect, test } from 'vitest';
import { createMemoryLimiter } from '../src/limits/memory.ts';
import { createSlots } from '../src/limits/slots.ts';
import { appForTest, UPLOAD } from './helpers/app.ts';
import { jpeg } from './helpers/service.ts';

const login = { name: 'login', points: 3, seconds: 60 };

describe('memory limiter', () => {
  test('refuses what is over the budget, and says when to come back', async () => {
    const limiter = createMemoryLimiter();
    expect(await limiter.take(login, 'anna')).toEqual({ ok: true, remaining: 2 });
    expect(await limiter.take(login, 'anna', 2)).toEqual({ ok: true, remaining: 0 });
    const refused = await limiter.take(login, 'anna');
    expect(refused).toMatchObject({ ok: false });
    const retryAfter = refused.ok ? 0 : refused.retryAfter;
    expect(retryAfter).toBeGreaterThan(50);
    expect(retryAfter).toBeLessThanOrEqual(60);
  });

  test('counts each key, each budget and each size of a budget by itself', async () => {
    const limiter = createMemoryLimiter();
    await limiter.take(login, 'anna', 3);
    expect((await limiter.take(login, 'anna')).ok).toBe(false);
    expect((await limiter.take(login, 'berta')).ok).toBe(true);
    expect((await limiter.take({ ...login, name: 'upload' }, 'anna')).ok).toBe(true);
    expect((await limiter.take({ ...login, points: 4 }, 'anna')).ok).toBe(true);
  });

  test('starts anew when the window has passed', async () => {
    const limiter = createMemoryLimiter();
    const budget = { name: 'short', points: 1, seconds: 1 };
    expect((await limiter.take(budget, 'anna')).ok).toBe(true);
    expect(await limiter.take(budget, 'anna')).toEqual({ ok: false, retryAfter: 1 });
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect((await limiter.take(budget, 'anna')).ok).toBe(true);
  });

  test('a refusal costs nothing: what is left can still be taken', async () => {
    const limiter = createMemoryLimiter();
    await limiter.take(login, 'anna', 2);
    for (let round = 0; round < 5; round++) expect((await limiter.take(login, 'anna', 2)).ok).toBe(false);
    expect(await limiter.take(login, 'anna', 1)).toEqual({ ok: true, remaining: 0 });
  });

  test('gives points back, but never more than were taken', async () => {
    const limiter = createMemoryLimiter();
    await limiter.reward(login, 'anna', 5);
    await limiter.take(login, 'anna', 3);
    await limiter.reward(login, 'anna');
    expect(await limiter.take(login, 'anna')).toEqual({ ok: true, remaining: 0 });
    await limiter.reward(login, 'anna', 100);
    expect(await limiter.take(login, 'anna', 3)).toEqual({ ok: true, remaining: 0 });
    expect((await limiter.take(login, 'anna')).ok).toBe(false);
  });

  test('a budget of 0 is no limit', async () => {
    const limiter = createMemoryLimiter();
    const budget = { name: 'off', points: 0, seconds: 60 };
    for (let round = 0; round < 100; round++) expect((await limiter.take(budget, 'anna', 1e6)).ok).toBe(true);
    await limiter.reward(budget, 'anna');
  });

  test('keys that are names of object properties are keys like others', async () => {
    const limiter = createMemoryLimiter();
    await limiter.take(login, '__proto__', 3);
    expect((await limiter.take(login, '__proto__')).ok).toBe(false);
    expect((await limiter.take(login, 'constructor')).ok).toBe(true);
  });
});

describe('slots', () => {
  test('gives out as many places per key as there are, and again what came back', () => {
    const slots = createSlots({ max: 2 });
    const first = slots.acquire('anna');
    expect(slots.acquire('anna')).not.toBeNull();
    expect(slots.acquire('anna')).toBeNull();
    expect(slots.acquire('berta')).not.toBeNull();
    first?.();
    expect(slots.taken('anna')).toBe(1);
    expect(slots.acquire('anna')).not.toBeNull();
    expect(slots.acquire('anna')).toBeNull();
  });

  test('a place is given back once', () => {
    const slots = createSlots({ max: 2 });
    const first = slots.acquire('anna');
    slots.acquire('anna');
    first?.();
    first?.();
    expect(slots.taken('anna')).toBe(1);
    expect(slots.acquire('anna')).not.toBeNull();
    expect(slots.acquire('anna')).toBeNull();
  });

  test('0 is no limit', () => {
    const slots = createSlots({ max: 0 });
    for (let round = 0; round < 100; round++) expect(slots.acquire('anna')).not.toBeNull();
  });
});

test('C43: the limit of uploads is one of the user, whatever sockets, sessions and aliases they come by', async () => {
  const app = await appForTest({ RATE_LIMIT_MAX_UPLOADS: '3' });
  const account = { username: 'anna', password: 'a long enough password' };
  const enter = async (how: 'register' | 'login'): Promise<string> =>
    (
      await app.ok(
        `mutation ($username: String!, $password: String!) {
          ${how}(input: { username: $username, password: $password }) { token } }`,
        account,
      )
    )[how].token;
  const tokens = [await enter('register'), await enter('login'), await enter('login')];
  const twice = `mutation ($a: Upload!, $b: Upload!) {
    a: uploadPhoto(input: { file: $a }) { photo { id } } b: uploadPhoto(input: { file: $b }) { photo { id } } }`;
  const two = async (seed: number) => ({ a: { bytes: await jpeg(seed) }, b: { bytes: await jpeg(seed + 1) } });
  expect((await app.upload(twice, await two(601), {}, tokens[0])).errors).toEqual([]);
  const half = await app.upload(twice, await two(603), {}, tokens[1]);
  expect(half.errors.map(({ path, extensions }) => [path, extensions.code])).toEqual([[['b'], 'RATE_LIMITED']]);
  const refused = await app.upload(UPLOAD, { file: { bytes: await jpeg(605) } }, {}, tokens[2]);
  expect([refused.status, refused.errors[0]?.extensions.code]).toEqual([429, 'RATE_LIMITED']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(3500);
  expect((await app.upload(UPLOAD, { file: { bytes: await jpeg(606) } }, {}, await app.guest())).errors).toEqual([]);
});

test.each(['application/json', 'application/graphql+json', 'application/json; charset=utf-8', 'APPLICATION/JSON'])(
  'C43: a body of more than 1 MB is 413 as %s, with and without a length',
  async (type) => {
    const app = await appForTest();
    const body = JSON.stringify({ query: '{ health { ok } }', variables: { padding: 'x'.repeat(1_000_000) } });
    for (const sent of [body, new Blob([body]).stream()]) {
      const answer = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: sent,
        duplex: 'half',
      } as RequestInit);
      const { errors } = (await answer.json()) as { errors: { extensions: { code: string } }[] };
      expect([answer.status, errors[0]?.extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    }
  },
);
