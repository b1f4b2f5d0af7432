import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionEntity, UserEntity } from '../../src/auth/entity.ts';
import { createPasswords, type ScryptCost } from '../../src/auth/passwords.ts';
import { createAuth, type AuthDeps } from '../../src/auth/service.ts';
import { createTokens } from '../../src/auth/tokens.ts';
import type { Actor, ServiceContext } from '../../src/db/context.ts';
import { newId } from '../../src/db/ids.ts';
import { openDatabase } from '../../src/db/orm.ts';
import { createMemoryLimiter } from '../../src/limits/memory.ts';
import { createLog } from '../../src/log.ts';
import { PhotoEntity } from '../../src/photos/entity.ts';

export const SECRET = 'a secret of more than thirty-two characters';
export const ANONYMOUS: Actor = { kind: 'anonymous', address: '192.0.2.1' };
export const SYSTEM: Actor = { kind: 'system' };

export interface AuthWorldOptions extends Partial<Pick<AuthDeps, 'eraseUserData'>> {
  config?: Partial<AuthDeps['config']>;
  cost?: ScryptCost;
  tokenSeconds?: number;
}

/** Accounts and sessions on a real SQLite file, with a clock that is moved by hand. */
export async function createAuthWorld(options: AuthWorldOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-auth-'));
  const path = join(folder, 'test.sqlite');
  const database = await openDatabase({
    path,
    entities: [UserEntity, SessionEntity, PhotoEntity],
  });
  await database.orm.schema.create();
  const clock = { ms: Date.now(), advance: (seconds: number) => (clock.ms += seconds * 1000) };
  const now = (): number => clock.ms;
  const erased: string[] = [];
  const ended: string[] = [];
  const log = createLog('silent');
  const auth = createAuth({
    tokens: createTokens({ secret: SECRET, expiresInSeconds: options.tokenSeconds ?? 86_400, now }),
    passwords: createPasswords({ cost: options.cost ?? { logN: 8, r: 8, p: 1 } }),
    limiter: createMemoryLimiter(),
    config: {
      allowGuests: true,
      allowRegistration: true,
      loginAttemptsPerMinute: 5,
      mode: 'development',
      ...options.config,
    },
    log,
    fork: () => database.fork(),
    eraseUserData:
      options.eraseUserData ??
      (async (ctx, userId) => {
        erased.push(userId);
        await ctx.em.nativeDelete(PhotoEntity, { userId });
      }),
    eraseSessionData: async () => {},
    onSessionEnded: (sessionId) => void ended.push(sessionId),
    now,
  });

  const ctx = (actor: Actor = ANONYMOUS): ServiceContext => ({
    em: database.fork(),
    actor,
    requestId: 'test',
    signal: new AbortController().signal,
    log,
  });

  return {
    auth,
    clock,
    ctx,
    database,
    path,
    /** Users whose data was erased. */
    erased,
    /** Sessions whose sockets were to be closed. */
    ended,
    /** The context of a request that bears this token. */
    as: async (token: string) => ctx((await auth.authenticate(token, '192.0.2.1')).actor),
    users: () => database.fork().find(UserEntity, {}, { disableIdentityMap: true }),
    photosOf: (userId: string) => database.fork().find(PhotoEntity, { userId }, { disableIdentityMap: true }),
    addPhoto: async (userId: string, sessionId: string) => {
      const id = newId();
      await database.fork().insert(PhotoEntity, {
        id,
        createdAt: new Date(clock.ms),
        userId,
        sessionId,
        originalFilename: 'grandma.jpg',
        format: 'JPEG',
        mimeType: 'image/jpeg',
        width: 640,
        height: 480,
        bitDepth: 8,
        hasAlpha: false,
        bytes: 1000,
        sha256: id,
        dominantColor: '#888888',
        thumbhash: '',
        storageKey: `uploads/${sessionId}/${id}`,
        selectedRestorationId: null,
      });
      return id;
    },
    [Symbol.asyncDispose]: async () => {
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}

export type AuthWorld = Awaited<ReturnType<typeof createAuthWorld>>;

/** The AppError that something was refused with. */
export async function refusal(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; retryAfter: number | undefined }> {
  try {
    await promise;
  } catch (error) {
    const { code, message, retryAfter } = error as { code: string; message: string; retryAfter?: number };
    return { code, message, retryAfter };
  }
  throw new Error('it was not refused');
}
