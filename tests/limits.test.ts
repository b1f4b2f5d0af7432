import { describe, expect, test } from 'vitest';
import { createMemoryLimiter } from '../src/limits/memory.ts';
import { createSlots } from '../src/limits/slots.ts';

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
