import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, SignJWT, type JWTHeaderParameters } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deriveKey, loadSecret } from '../src/auth/secret.ts';
import type { AuthResult } from '../src/auth/sessions.ts';
import { newId } from '../src/db/ids.ts';
import { createAuthWorld, refusal, SECRET, type AuthWorld } from './helpers/auth.ts';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('C35: own tokens', () => {
  let world: AuthWorld;
  let guest: AuthResult;
  beforeAll(async () => {
    world = await createAuthWorld();
    guest = await world.auth.startGuestSession(world.ctx());
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const seconds = (): number => Math.floor(world.clock.ms / 1000);
  const goodClaims = () => ({
    iss: 'heirloom',
    aud: 'heirloom-api',
    sub: guest.user.id,
    sid: guest.session.id,
    role: 'USER',
    guest: true,
    iat: seconds(),
    exp: seconds() + 600,
  });
  type Claims = Partial<Record<keyof ReturnType<typeof goodClaims> | 'nbf', unknown>>;
  const sign = (
    claims: Claims = {},
    header: Partial<JWTHeaderParameters> = {},
    key: Parameters<SignJWT['sign']>[0] = Buffer.from(SECRET),
  ): Promise<string> =>
    new SignJWT(JSON.parse(JSON.stringify({ ...goodClaims(), ...claims })))
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header })
      .sign(key);
  const accepted = async (token: string): Promise<boolean> =>
    world.auth.authenticate(token, '192.0.2.1').then(
      () => true,
      () => false,
    );

  it('takes what it has issued, and a token made by the same rules', async () => {
    const { actor, expiresAt } = await world.auth.authenticate(guest.token, '192.0.2.1');
    expect(actor).toEqual({
      kind: 'user',
      userId: guest.user.id,
      sessionId: guest.session.id,
      role: 'USER',
      guest: true,
      address: '192.0.2.1',
    });
    expect(expiresAt).toEqual(guest.expiresAt);
    expect(await accepted(await sign())).toBe(true);
  });

  it('takes nobody for anonymous', async () => {
    expect(await world.auth.authenticate(undefined, '192.0.2.1')).toEqual({
      actor: { kind: 'anonymous', address: '192.0.2.1' },
      expiresAt: null,
    });
  });

  const other = Buffer.from('another secret of more than thirty-two characters');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = Buffer.from(rsa.publicKey.export({ type: 'spki', format: 'pem' }));
  const unsigned = (alg: string): string => `${encode({ alg, typ: 'at+jwt' })}.${encode(goodClaims())}.`;

  const forgeries: Record<string, () => Promise<string> | string> = {
    'alg none': () => unsigned('none'),
    'alg None': () => unsigned('None'),
    'alg NONE': () => unsigned('NONE'),
    'alg none with the signature of a good token': async () => `${unsigned('none')}${(await sign()).split('.')[2]}`,
    'no alg': () => `${encode({ typ: 'at+jwt' })}.${encode(goodClaims())}.`,
    'the key of another installation': () => sign({}, {}, other),
    'HS512 with the right key': () => sign({}, { alg: 'HS512' }, Buffer.from(SECRET.repeat(2))),
    'HS384 with the right key': () => sign({}, { alg: 'HS384' }, Buffer.from(SECRET.repeat(2))),
    RS256: () => sign({}, { alg: 'RS256' }, rsa.privateKey),
    'HS256 with an RSA public key': () => sign({}, {}, pem),
    'a key of its own in jwk': async () => sign({}, { jwk: { ...(await exportJWK(other)), kty: 'oct' } }, other),
    'an RSA key of its own in jwk': async () =>
      sign({}, { alg: 'RS256', jwk: await exportJWK(rsa.publicKey) }, rsa.privateKey),
    'a key of its own behind jku': () => sign({}, { jku: 'http://127.0.0.1:9/keys.json' }, other),
    'a key of its own behind x5u': () => sign({}, { x5u: 'http://127.0.0.1:9/cert.pem' }, other),
    'kid that is a path': () => sign({}, { kid: '../../../../dev/null' }, Buffer.from('0')),
    'kid that is SQL': () => sign({}, { kid: "x' union select 'key" }, Buffer.from('key')),
    'an unknown kid and another key': () => sign({}, { kid: 'nobody-knows' }, other),
    'an unknown critical header': () =>
      new SignJWT(goodClaims())
        .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', crit: ['x-tenant'], 'x-tenant': 'a' })
        .sign(Buffer.from(SECRET), { crit: { 'x-tenant': true } }),
    'another iss': () => sign({ iss: 'heirlo0m' }),
    'iss of an object': () => sign({ iss: { toString: 'heirloom' } }),
    'iss __proto__': () => sign({ iss: '__proto__' }),
    'no iss': () => sign({ iss: undefined }),
    'another aud': () => sign({ aud: 'other-api' }),
    'no aud': () => sign({ aud: undefined }),
    'typ JWT': () => sign({}, { typ: 'JWT' }),
    'typ of a logout token': () => sign({}, { typ: 'logout+jwt' }),
    'no exp': () => sign({ exp: undefined }),
    'exp as text': () => sign({ exp: '9999999999' }),
    'no iat': () => sign({ iat: undefined }),
    'iat ahead by more than the tolerance': () => sign({ iat: seconds() + 61 }),
    'nbf ahead by more than the tolerance': () => sign({ nbf: seconds() + 61 }),
    'no sub': () => sign({ sub: undefined }),
    'sub that is no id': () => sign({ sub: "' or 1=1 --" }),
    'sub of another user': () => sign({ sub: newId() }),
    'no sid': () => sign({ sid: undefined }),
    'sid of no session': () => sign({ sid: newId() }),
    'sid that is a list': () => sign({ sid: [guest.session.id] }),
    'expired longer ago than the tolerance': () => sign({ exp: seconds() - 61 }),
    'a changed payload': async () => {
      const [head, , signature] = (await sign()).split('.');
      return `${head}.${encode({ ...goodClaims(), role: 'ADMIN' })}.${signature}`;
    },
    'a changed signature': async () => {
      const token = await sign();
      const place = token.length - 10;
      return token.slice(0, place) + (token[place] === 'A' ? 'B' : 'A') + token.slice(place + 1);
    },
    'a signature cut short': async () => (await sign()).slice(0, -4),
    'no signature': async () => (await sign()).replace(/[^.]+$/, ''),
    'only two parts': async () => (await sign()).replace(/\.[^.]+$/, ''),
    'four parts': async () => `${await sign()}.x`,
    nothing: () => '',
    'not a token': () => 'Bearer',
    'NUL and line breaks': () => '\0\r\n.\r\n.',
    'a good token of 100 KB': () => sign({ guest: 'x'.repeat(75_000) }),
    '100 KB of dots': () => '.'.repeat(100_000),
    '100 KB of a': () => `${'a'.repeat(50_000)}.${'a'.repeat(49_998)}.a`,
  };

  it.each(Object.entries(forgeries))('refuses %s, always with the same answer', async (_name, make) => {
    expect(await refusal(world.auth.authenticate(await make(), '192.0.2.1'))).toEqual({
      code: 'UNAUTHENTICATED',
      message: 'Not signed in, or the sign-in is no longer valid. Sign in again.',
      retryAfter: undefined,
    });
  });

  it('allows clocks to differ by 30 seconds, and by no more', async () => {
    expect(await accepted(await sign({ exp: seconds() - 29 }))).toBe(true);
    expect(await accepted(await sign({ exp: seconds() - 31 }))).toBe(false);
    expect(await accepted(await sign({ iat: seconds() + 29 }))).toBe(true);
    expect(await accepted(await sign({ iat: seconds() + 31 }))).toBe(false);
    expect(await accepted(await sign({ nbf: seconds() + 29 }))).toBe(true);
    expect(await accepted(await sign({ nbf: seconds() + 31 }))).toBe(false);
  });

  it('does not remember a token beyond its end', async () => {
    const token = await sign({ exp: seconds() + 10 });
    expect(await accepted(token)).toBe(true);
    world.clock.advance(71);
    expect(await accepted(token)).toBe(false);
    world.clock.advance(-71);
  });
});

describe('the signing secret', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'heirloom-secret-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is made once, readable by its owner only, and the same for all who start at once', async () => {
    const dataDir = join(folder, 'data');
    const secrets = await Promise.all(Array.from({ length: 10 }, () => loadSecret(dataDir)));
    expect(new Set(secrets).size).toBe(1);
    expect(secrets[0]).toMatch(/^[0-9a-f]{64}$/);
    expect((await stat(join(dataDir, 'secret'))).mode & 0o777).toBe(0o600);
    expect(await readdir(dataDir)).toEqual(['secret']);
    expect(await loadSecret(dataDir)).toBe(secrets[0]);
  });

  it('is the configured one where there is one, and leaves no file then', async () => {
    const dataDir = join(folder, 'configured');
    expect(await loadSecret(dataDir, SECRET)).toBe(SECRET);
    await expect(stat(dataDir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is not replaced where the file is damaged', async () => {
    await writeFile(join(folder, 'secret'), 'short\n');
    await expect(loadSecret(folder)).rejects.toThrow(/delete it and start again/);
    expect(await readFile(join(folder, 'secret'), 'utf8')).toBe('short\n');
  });

  it('gives each purpose a key of its own', () => {
    expect(deriveKey(SECRET, 'links')).toHaveLength(32);
    expect(deriveKey(SECRET, 'links')).toEqual(deriveKey(SECRET, 'links'));
    expect(deriveKey(SECRET, 'links')).not.toEqual(deriveKey(SECRET, 'webhooks'));
    expect(deriveKey(SECRET, 'links')).not.toEqual(deriveKey(`${SECRET}!`, 'links'));
  });
});
