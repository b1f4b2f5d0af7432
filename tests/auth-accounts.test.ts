import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { networkOf } from '../src/auth/address.ts';
import { SessionEntity, UserEntity } from '../src/auth/entity.ts';
import { createPasswords } from '../src/auth/passwords.ts';
import { requireAdmin, requireUser } from '../src/auth/require.ts';
import type { Actor } from '../src/db/context.ts';
import { openDatabase } from '../src/db/orm.ts';
import { PhotoEntity } from '../src/photos/entity.ts';
import { ANONYMOUS, createAuthWorld, refusal, SYSTEM, type AuthWorld } from './helpers/auth.ts';

const ANNA = { username: 'anna', password: 'correct horse' };
const WRONG = { username: 'anna', password: 'wrong horse' };

let world: AuthWorld;
beforeEach(async () => {
  world = await createAuthWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const register = (input = ANNA, actor: Actor = ANONYMOUS) => world.auth.register(world.ctx(actor), input);
const login = (input = ANNA, actor: Actor = ANONYMOUS) => world.auth.login(world.ctx(actor), input);
const from = (n: number): Actor => ({ kind: 'anonymous', address: `198.51.100.${n}` });
const admin = (): Promise<unknown> =>
  world.auth.users.ensureAdmin(world.ctx(SYSTEM), { username: 'Root', password: 'first password' });
const codeFor = async (token: string): Promise<string> =>
  world.auth.authenticate(token, '192.0.2.1').then(
    () => 'ok',
    (error: { code: string }) => error.code,
  );

describe('passwords', () => {
  const passwords = createPasswords({ cost: { logN: 8, r: 8, p: 1 } });
  const { signal } = new AbortController();

  it('are kept as a salted hash that names its parameters', async () => {
    const first = await passwords.hash('correct horse', signal);
    expect(first).toMatch(/^\$scrypt\$ln=8,r=8,p=1\$[\w+/]{22}\$[\w+/]{43}$/);
    expect(await passwords.hash('correct horse', signal)).not.toBe(first);
    expect(await passwords.verify('correct horse', first, signal)).toBe(true);
    expect(await passwords.verify('correct horsf', first, signal)).toBe(false);
    expect(await passwords.verify('correct horse', null, signal)).toBe(false);
    const today = createPasswords({ cost: { logN: 9, r: 8, p: 2 } });
    expect(await today.verify('correct horse', first, signal)).toBe(true);
  });

  it('are the same however the keyboard composes an accent', async () => {
    const hash = await passwords.hash('Zoë was here', signal);
    expect(await passwords.verify('Zoe\u0308 was here', hash, signal)).toBe(true);
  });

  it('are refused with RATE_LIMITED when too many wait, and the line empties again', async () => {
    const narrow = createPasswords({ cost: { logN: 12, r: 8, p: 1 }, maxWaiting: 3 });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => narrow.hash('correct horse', signal)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(reasons).toMatchObject(Array.from({ length: 3 }, () => ({ code: 'RATE_LIMITED', retryAfter: 4 })));
    expect(await narrow.hash('correct horse', signal)).toMatch(/^\$scrypt/);
  });

  it('are not hashed for somebody who has gone while waiting', async () => {
    const controller = new AbortController();
    const waiting = Array.from({ length: 4 }, () => passwords.hash('correct horse', controller.signal));
    controller.abort();
    const statuses = (await Promise.allSettled(waiting)).map(({ status }) => status);
    expect(statuses).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
  });
});

describe('register', () => {
  it.each([
    ['a short name', { username: 'an', password: 'correct horse' }],
    ['a long name', { username: 'a'.repeat(65), password: 'correct horse' }],
    ['a name with a space', { username: 'an na', password: 'correct horse' }],
    ['a name with an unseen character', { username: 'anna\u200B', password: 'correct horse' }],
    ['a short password', { username: 'anna', password: '1234567' }],
    ['a long password', { username: 'anna', password: 'x'.repeat(201) }],
  ])('refuses %s', async (_what, input) => {
    expect((await refusal(register(input))).code).toBe('BAD_USER_INPUT');
    expect(await world.users()).toHaveLength(0);
  });

  it('takes one name once, however it is written, also at the same moment', async () => {
    const results = await Promise.allSettled(
      ['anna', 'ANNA', 'Anna', 'ａｎｎａ'].map((username) => register({ ...ANNA, username })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await refusal(register({ ...ANNA, username: 'aNNa' }))).code).toBe('CONFLICT');
    expect((await world.users()).map(({ username }) => username)).toEqual(['anna']);
    expect((await login({ ...ANNA, username: 'ANNA' })).user.username).toBe('anna');
  });

  it('keeps the photos of a guest: the same user gets a name, and the guest session goes on', async () => {
    const guest = await world.auth.startGuestSession(world.ctx());
    await world.addPhoto(guest.user.id, guest.session.id);
    const asGuest = await world.as(guest.token);
    const account = await register(ANNA, asGuest.actor);

    expect(account.user).toMatchObject({ id: guest.user.id, username: 'anna', role: 'USER' });
    expect(account.session.id).not.toBe(guest.session.id);
    expect(await world.photosOf(account.user.id)).toMatchObject([{ sessionId: guest.session.id }]);
    expect((await world.as(guest.token)).actor).toMatchObject({ userId: guest.user.id, guest: false });
    expect((await world.as(account.token)).actor).toMatchObject({ userId: guest.user.id, guest: false });
    expect((await login()).user.id).toBe(guest.user.id);
    expect((await refusal(register({ ...ANNA, username: 'anna2' }, (await world.as(guest.token)).actor))).code).toBe(
      'CONFLICT',
    );
    // As long as the old actor's request ran, the guest may have registered in another tab.
    expect((await refusal(register({ ...ANNA, username: 'anna3' }, asGuest.actor))).code).toBe('CONFLICT');
  });

  it('is switched off by ALLOW_REGISTRATION, and guests by ALLOW_GUESTS', async () => {
    await using closed = await createAuthWorld({ config: { allowGuests: false, allowRegistration: false } });
    expect((await refusal(closed.auth.register(closed.ctx(), ANNA))).code).toBe('FORBIDDEN');
    expect((await refusal(closed.auth.startGuestSession(closed.ctx()))).code).toBe('FORBIDDEN');
  });

  it('is limited by address in production, as are guests', async () => {
    await using production = await createAuthWorld({ config: { mode: 'production' } });
    for (let n = 0; n < 60; n += 1) await production.auth.startGuestSession(production.ctx());
    expect(await refusal(production.auth.startGuestSession(production.ctx()))).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfter: expect.any(Number),
    });
    expect((await refusal(production.auth.register(production.ctx(), ANNA))).code).toBe('RATE_LIMITED');
    const elsewhere = production.ctx({ kind: 'anonymous', address: '198.51.100.7' });
    expect((await production.auth.register(elsewhere, ANNA)).user.username).toBe('anna');
  });
});

describe('login', () => {
  it('makes a new session each time', async () => {
    const first = await register();
    const second = await login();
    expect(second.user.id).toBe(first.user.id);
    expect(second.session.id).not.toBe(first.session.id);
    expect(second.expiresAt.getTime() - world.clock.ms).toBeGreaterThan(86_398_000);
  });

  it('answers an unknown user, a wrong password and a disabled user alike', async () => {
    await register();
    const wrong = await refusal(login(WRONG));
    const unknown = await refusal(login({ ...WRONG, username: 'nobody' }));
    await world.auth.users.disable(world.ctx(SYSTEM), { username: 'anna' });
    const disabled = await refusal(login());
    expect(wrong).toMatchObject({ code: 'UNAUTHENTICATED', message: 'The user name or the password is not right.' });
    expect(unknown).toEqual(wrong);
    expect(disabled).toEqual(wrong);
  });

  it('takes as long for an unknown and a disabled user as for a wrong password', async () => {
    await using slow = await createAuthWorld({
      cost: { logN: 14, r: 8, p: 1 },
      config: { loginAttemptsPerMinute: 0 },
    });
    await slow.auth.register(slow.ctx(), ANNA);
    await slow.auth.register(slow.ctx(), { ...ANNA, username: 'berta' });
    await slow.auth.users.disable(slow.ctx(SYSTEM), { username: 'berta' });
    const inputs = {
      wrong: WRONG,
      unknown: { ...WRONG, username: 'nobody' },
      disabled: { ...ANNA, username: 'berta' },
    };
    const times: Record<string, number[]> = { wrong: [], unknown: [], disabled: [] };
    // In turns, so that a busy machine slows all of them alike.
    for (let round = 0; round < 15; round += 1) {
      for (const [kind, input] of Object.entries(inputs)) {
        const start = performance.now();
        await refusal(slow.auth.login(slow.ctx(), input));
        times[kind]?.push(performance.now() - start);
      }
    }
    const median = (kind: string): number => times[kind]?.toSorted((a, b) => a - b)[7] ?? 0;
    expect(median('wrong')).toBeGreaterThan(10);
    for (const kind of ['unknown', 'disabled']) {
      expect(median(kind) / median('wrong')).toBeGreaterThan(0.65);
      expect(median(kind) / median('wrong')).toBeLessThan(1.5);
    }
  });

  it('is limited by user name and address: one stranger locks nobody out, and a success uses nothing up', async () => {
    await register();
    for (let n = 0; n < 8; n += 1) await login(ANNA, from(0));
    for (let n = 0; n < 5; n += 1) expect((await refusal(login(WRONG, from(1)))).code).toBe('UNAUTHENTICATED');
    expect((await refusal(login(ANNA, from(1)))).code).toBe('RATE_LIMITED');
    expect((await login(ANNA, from(2))).user.username).toBe('anna');
  });

  it('is limited by user name from all addresses together, at ten times as many', async () => {
    await register();
    for (let n = 0; n < 50; n += 1) {
      expect((await refusal(login(WRONG, from(Math.floor(n / 5))))).code).toBe('UNAUTHENTICATED');
    }
    const limited = await refusal(login(ANNA, from(99)));
    expect(limited.code).toBe('RATE_LIMITED');
    expect(limited.retryAfter).toBeGreaterThan(0);
    expect(limited.retryAfter).toBeLessThanOrEqual(60);
    expect((await refusal(login({ ...ANNA, username: 'ANNA' }, from(99)))).code).toBe('RATE_LIMITED');
    await world.auth.users.add(world.ctx(SYSTEM), { ...ANNA, username: 'berta' });
    expect((await login({ ...ANNA, username: 'berta' }, from(99))).user.username).toBe('berta');
  });

  it('is limited by address for any user name, also when many guess at once', async () => {
    await register();
    const codes = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => (await refusal(login({ ...WRONG, username: `guess${n}` }))).code),
    );
    expect(codes.filter((code) => code === 'UNAUTHENTICATED')).toHaveLength(5);
    expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(15);
    expect((await refusal(login())).code).toBe('RATE_LIMITED');
    expect((await login(ANNA, { kind: 'anonymous', address: '198.51.100.9' })).user.username).toBe('anna');
  });

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ])('counts %s as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe('sessions', () => {
  it('are listed newest first, with the current one marked', async () => {
    const first = await register();
    const second = await world.auth.login(world.ctx(), { ...ANNA, userAgent: 'x'.repeat(1000) });
    await world.auth.startGuestSession(world.ctx());
    const listed = await world.auth.sessions(await world.as(first.token));
    expect(listed.map(({ id, current }) => ({ id, current }))).toEqual([
      { id: second.session.id, current: false },
      { id: first.session.id, current: true },
    ]);
    expect(listed[0]?.userAgent).toHaveLength(256);
    expect((await refusal(world.auth.sessions(world.ctx()))).code).toBe('UNAUTHENTICATED');
  });

  it('are refused at once after logout, with the photos of an account kept', async () => {
    const account = await register();
    await world.addPhoto(account.user.id, account.session.id);
    expect(await codeFor(account.token)).toBe('ok');
    await world.auth.logout(await world.as(account.token));
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
    expect(world.ended).toEqual([account.session.id]);
    expect(await world.photosOf(account.user.id)).toMatchObject([{ sessionId: null }]);
  });

  it('of somebody else are NOT_FOUND, like those that do not exist', async () => {
    const anna = await register();
    const berta = await register({ ...ANNA, username: 'berta' });
    const asBerta = await world.as(berta.token);
    const foreign = await refusal(world.auth.deleteSession(asBerta, anna.session.id));
    expect(foreign.code).toBe('NOT_FOUND');
    expect(await refusal(world.auth.deleteSession(asBerta, berta.user.id))).toEqual(foreign);
    expect(await world.auth.session(asBerta, anna.session.id)).toBeNull();
    expect(await world.auth.user(asBerta, anna.user.id)).toBeNull();
    expect(await codeFor(anna.token)).toBe('ok');
  });

  it('of a guest take the guest and the photos with them when deleted', async () => {
    const guest = await world.auth.startGuestSession(world.ctx());
    await world.addPhoto(guest.user.id, guest.session.id);
    await world.auth.deleteSession(await world.as(guest.token), guest.session.id);
    expect(world.erased).toEqual([guest.user.id]);
    expect(world.ended).toEqual([guest.session.id]);
    expect(await world.users()).toEqual([]);
    expect(await world.photosOf(guest.user.id)).toEqual([]);
    expect(await codeFor(guest.token)).toBe('UNAUTHENTICATED');
  });

  it('are refreshed with a new token for the same session', async () => {
    const account = await register();
    world.clock.advance(3600);
    const refreshed = await world.auth.refreshSession(await world.as(account.token));
    expect(refreshed.session.id).toBe(account.session.id);
    expect(refreshed.expiresAt.getTime() - account.expiresAt.getTime()).toBe(3_600_000);
    world.clock.advance(86_400 - 1800);
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
    expect(await codeFor(refreshed.token)).toBe('ok');
  });

  it('note their use once a minute at most', async () => {
    const guest = await world.auth.startGuestSession(world.ctx());
    const used = async (): Promise<number> => {
      const em = world.database.fork();
      return (await em.findOneOrFail(SessionEntity, { id: guest.session.id })).lastAccessedAt.getTime();
    };
    // Writes of the file as SQLite counts them, whatever they change.
    const writes = async (): Promise<number> => {
      const [row] = await world.database.fork().execute<[{ n: number }]>('select total_changes() as n');
      return Number(row.n);
    };
    const start = await used();
    const before = await writes();
    for (let n = 0; n < 59; n += 1) {
      world.clock.advance(1);
      await world.as(guest.token);
    }
    expect(await used()).toBe(start);
    world.clock.advance(1);
    await Promise.all(Array.from({ length: 20 }, () => world.as(guest.token)));
    expect(await used()).toBe(start + 60_000);
    world.clock.advance(59);
    await world.as(guest.token);
    expect(await used()).toBe(start + 60_000);
    expect((await writes()) - before).toBe(1);
  });

  it('are recognised while another process holds the database for a write', async () => {
    const guest = await world.auth.startGuestSession(world.ctx());
    const other = await openDatabase({ path: world.path, entities: [UserEntity, SessionEntity, PhotoEntity] });
    await other.orm.em.getConnection().execute('begin immediate');
    try {
      const start = performance.now();
      world.clock.advance(59);
      expect(await codeFor(guest.token)).toBe('ok');
      expect(performance.now() - start).toBeLessThan(1000);
    } finally {
      await other.close();
    }
  });

  it('that another process ended are refused after five seconds', async () => {
    const account = await register();
    expect(await codeFor(account.token)).toBe('ok');
    await world.database.fork().nativeDelete(SessionEntity, { id: account.session.id });
    world.clock.advance(5);
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
  });
});

describe('an account', () => {
  it('changes its password, which ends all other sessions', async () => {
    const here = await register();
    const there = await login();
    const ctx = await world.as(here.token);
    const change = (currentPassword: string, newPassword = 'battery staple') =>
      world.auth.changePassword(ctx, { currentPassword, newPassword });
    expect((await refusal(change('wrong horse'))).code).toBe('FORBIDDEN');
    expect((await refusal(change(ANNA.password, 'short'))).code).toBe('BAD_USER_INPUT');
    expect(await codeFor(there.token)).toBe('ok');
    expect((await change(ANNA.password)).endedSessions).toBe(1);
    expect(await codeFor(there.token)).toBe('UNAUTHENTICATED');
    expect(await codeFor(here.token)).toBe('ok');
    expect(world.ended).toEqual([there.session.id]);
    expect((await refusal(login())).code).toBe('UNAUTHENTICATED');
    expect((await login({ ...ANNA, password: 'battery staple' })).user.id).toBe(here.user.id);
  });

  it('cannot have its password guessed through changePassword', async () => {
    const ctx = await world.as((await register()).token);
    const guess = () =>
      refusal(world.auth.changePassword(ctx, { currentPassword: 'wrong one', newPassword: 'x'.repeat(9) }));
    for (let n = 0; n < 5; n += 1) expect((await guess()).code).toBe('FORBIDDEN');
    expect((await guess()).code).toBe('RATE_LIMITED');
  });

  it('is deleted with its password, and a guest without one', async () => {
    const account = await register();
    await world.addPhoto(account.user.id, account.session.id);
    const ctx = await world.as(account.token);
    expect((await refusal(world.auth.deleteAccount(ctx))).code).toBe('BAD_USER_INPUT');
    expect((await refusal(world.auth.deleteAccount(ctx, { password: 'wrong horse' }))).code).toBe('FORBIDDEN');
    expect(await world.users()).toHaveLength(1);
    await world.auth.deleteAccount(ctx, { password: ANNA.password });
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
    const guest = await world.auth.startGuestSession(world.ctx());
    await world.auth.deleteAccount(await world.as(guest.token));
    expect(world.erased).toEqual([account.user.id, guest.user.id]);
    expect(await world.users()).toEqual([]);
    expect((await register()).user.id).not.toBe(account.user.id);
  });
});

describe('administrators', () => {
  it('are made from the configuration once, and not set back', async () => {
    expect(await admin()).toBe(true);
    await world.auth.users.setPassword(world.ctx(SYSTEM), { username: 'root', password: 'second password' });
    expect(await admin()).toBe(false);
    const signedIn = await login({ username: 'root', password: 'second password' });
    expect((await world.as(signedIn.token)).actor).toMatchObject({ role: 'ADMIN', guest: false });
  });

  it('alone may look after accounts', async () => {
    const asAnna = await world.as((await register()).token);
    const { users } = world.auth;
    for (const act of [
      (ctx: typeof asAnna) => users.list(ctx),
      (ctx: typeof asAnna) => users.add(ctx, { ...ANNA, username: 'berta', role: 'ADMIN' }),
      (ctx: typeof asAnna) => users.setPassword(ctx, ANNA),
      (ctx: typeof asAnna) => users.disable(ctx, ANNA),
      (ctx: typeof asAnna) => users.enable(ctx, ANNA),
      (ctx: typeof asAnna) => users.remove(ctx, ANNA),
      (ctx: typeof asAnna) => users.ensureAdmin(ctx, ANNA),
      (ctx: typeof asAnna) => world.auth.endIdleSessions(ctx, { idleHours: 1 }),
    ]) {
      expect((await refusal(act(asAnna))).code).toBe('FORBIDDEN');
      expect((await refusal(act(world.ctx()))).code).toBe('UNAUTHENTICATED');
    }
    await admin();
    const asAdmin = await world.as((await login({ username: 'root', password: 'first password' })).token);
    await world.auth.startGuestSession(world.ctx());
    expect((await users.list(asAdmin)).map(({ username }) => username)).toEqual(['anna', 'root']);
    expect(requireUser(asAnna).role).toBe('USER');
    expect(() => requireAdmin(asAdmin)).not.toThrow();
  });

  it('shut a user out at once and let the user in again', async () => {
    const account = await register();
    expect(await codeFor(account.token)).toBe('ok');
    await world.auth.users.disable(world.ctx(SYSTEM), { username: 'ANNA' });
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
    expect(world.ended).toEqual([account.session.id]);
    await world.auth.users.enable(world.ctx(SYSTEM), ANNA);
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
    expect(await codeFor((await login()).token)).toBe('ok');
  });

  it('who disable a user elsewhere are heard within five seconds', async () => {
    const account = await register();
    expect(await codeFor(account.token)).toBe('ok');
    await world.database.fork().nativeUpdate(UserEntity, { id: account.user.id }, { disabledAt: new Date() });
    world.clock.advance(5);
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
  });

  it('remove a user with all that is theirs; an unknown one is NOT_FOUND', async () => {
    const account = await register();
    await world.auth.users.remove(world.ctx(SYSTEM), { username: 'Anna' });
    expect(world.erased).toEqual([account.user.id]);
    expect(await codeFor(account.token)).toBe('UNAUTHENTICATED');
    expect((await refusal(world.auth.users.remove(world.ctx(SYSTEM), ANNA))).code).toBe('NOT_FOUND');
  });
});

describe('idle sessions', () => {
  it('end: a guest with photos, of an account the session only, and nobody who is active', async () => {
    const guest = await world.auth.startGuestSession(world.ctx());
    const account = await register();
    const registered = await world.auth.startGuestSession(world.ctx());
    await register({ ...ANNA, username: 'berta' }, (await world.as(registered.token)).actor);
    await world.addPhoto(guest.user.id, guest.session.id);
    await world.addPhoto(account.user.id, account.session.id);
    world.clock.advance(23 * 3600);
    const active = await world.auth.startGuestSession(world.ctx());
    expect(await world.auth.endIdleSessions(world.ctx(SYSTEM), { idleHours: 24 })).toMatchObject({
      guests: 0,
      sessions: 0,
    });
    world.clock.advance(3601);
    expect(await world.auth.endIdleSessions(world.ctx(SYSTEM), { idleHours: 0 })).toMatchObject({
      guests: 0,
      sessions: 0,
    });
    expect(await world.auth.endIdleSessions(world.ctx(SYSTEM), { idleHours: 24 })).toEqual({
      guests: 1,
      sessions: 3,
      failed: 0,
    });
    expect(world.erased).toEqual([guest.user.id]);
    expect(await world.photosOf(guest.user.id)).toEqual([]);
    expect(await world.photosOf(account.user.id)).toMatchObject([{ sessionId: null }]);
    expect((await world.users()).map(({ username }) => username).toSorted()).toEqual(['anna', 'berta', null]);
    expect(await codeFor(active.token)).toBe('ok');
  });

  it('end although one of them cannot be, and that one the next time', async () => {
    let broken: string | null = null;
    await using flaky = await createAuthWorld({
      eraseUserData: async (_ctx, userId) => {
        if (userId === broken) throw new Error('the disk is away');
      },
    });
    const first = await flaky.auth.startGuestSession(flaky.ctx());
    flaky.clock.advance(1);
    await flaky.auth.startGuestSession(flaky.ctx());
    broken = first.user.id;
    flaky.clock.advance(7200);
    const clean = () => flaky.auth.endIdleSessions(flaky.ctx(SYSTEM), { idleHours: 1 });
    expect(await clean()).toEqual({ guests: 1, sessions: 0, failed: 1 });
    expect(await flaky.users()).toMatchObject([{ id: first.user.id, disabledAt: expect.any(Date) }]);
    expect((await refusal(flaky.as(first.token))).code).toBe('UNAUTHENTICATED');
    broken = null;
    expect(await clean()).toEqual({ guests: 1, sessions: 0, failed: 0 });
    expect(await flaky.users()).toEqual([]);
  });
});
