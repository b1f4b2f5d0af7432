import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ConfigError, envExample, readConfig } from '../src/config.ts';

const PRODUCTION = {
  NODE_ENV: 'production',
  JWT_SECRET: 'x'.repeat(32),
  PUBLIC_URL: 'https://photos.example.org',
};

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('the configuration', () => {
  it('needs nothing in development', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      mode: 'development',
      port: 4000,
      host: '127.0.0.1',
      uploadsPerHour: 0,
      allowGuests: true,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('names every wrong variable at once', () => {
    const problems = problemsOf({
      PORT: 'many',
      JWT_EXPIRES_IN: 'soon',
      WEBP_QUALITY: '200',
      ALLOWED_MIME_TYPES: 'image/svg+xml',
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'PORT',
      'JWT_EXPIRES_IN',
      'ALLOWED_MIME_TYPES',
      'WEBP_QUALITY',
    ]);
  });

  it('starts in production with a secret, an address and limits', () => {
    expect(readConfig(PRODUCTION)).toMatchObject({
      mode: 'production',
      uploadsPerHour: 50,
      graphiql: false,
      introspection: false,
    });
  });

  it.each([
    ['without a secret', { JWT_SECRET: '' }, 'JWT_SECRET'],
    ['with a short secret', { JWT_SECRET: 'short' }, 'JWT_SECRET'],
    ['without an address', { PUBLIC_URL: '' }, 'PUBLIC_URL'],
    ['with guests and no limit', { RATE_LIMIT_RESTORATIONS_PER_MINUTE: '0' }, 'ALLOW_GUESTS'],
    ['with an administrator without a password', { ADMIN_USERNAME: 'root' }, 'ADMIN_USERNAME'],
  ])('refuses production %s and says how to mend it', (_name, env, variable) => {
    const problems = problemsOf({ ...PRODUCTION, ...env });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(variable);
  });

  it.each([
    ['NODE_ENV', 'prod'],
    ['DATABASE_URL', 'postgres://user@host/db'],
    ['UPLOAD_DIR', 'uploads/'],
    ['UPLOAD_DIR', '/srv/photos'],
    ['PROCESSED_DIR', '../elsewhere'],
    ['UPLOAD_DIR', 'tmp'],
    ['URL_SIGNING_KEYS', 'short'],
    ['JOB_TIMEOUT_SECONDS', '9999999'],
    ['ADMIN_USERNAME', 'a b'],
  ])('refuses %s=%s, which could not work', (name, value) => {
    const problems = problemsOf({ ADMIN_PASSWORD: name === 'ADMIN_USERNAME' ? 'long enough' : '', [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(name);
  });

  it('reads aliases, in their own units', () => {
    const config = readConfig({
      SECRET_KEY: 'y'.repeat(40),
      MAX_UPLOAD_SIZE: '5000000',
      DATABASE_PATH: '/tmp/x.sqlite',
    });
    expect(config).toMatchObject({
      jwtSecret: 'y'.repeat(40),
      maxUploadMb: 5,
      maxUploadBytes: 5e6,
      databasePath: '/tmp/x.sqlite',
    });
  });

  it('is what .env.example says', async () => {
    expect(await readFile('.env.example', 'utf8')).toBe(envExample());
    const uncommented = Object.fromEntries(
      envExample()
        .split('\n')
        .filter((line) => /^#[A-Z_]+=/.test(line))
        .map((line) => line.slice(1).split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
    const { maxConcurrent: _cores, ...defaults } = readConfig({});
    expect(readConfig(uncommented)).toMatchObject(defaults);
  });
});
