import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SessionEntity, UserEntity } from './auth/entity.ts';
import { createPasswords } from './auth/passwords.ts';
import { deriveKey, loadSecret } from './auth/secret.ts';
import { createAuth, type Auth } from './auth/service.ts';
import { createTokens } from './auth/tokens.ts';
import { ConfigError, type Config } from './config.ts';
import type { ServiceContext } from './db/context.ts';
import { newId } from './db/ids.ts';
import { lockDataDir, type HeldDataDirLock } from './db/lock.ts';
import { migrate, openDatabase } from './db/orm.ts';
import { EventEntity } from './events/entity.ts';
import { createEvents, type Topics } from './events/service.ts';
import { GRAPHIQL_TABS } from './web/graphiql-tabs.ts';
import { PAGES } from './web/pages.ts';
import { createHttpServer } from './http/server.ts';
import type { ImageLimits } from './imaging/limits.ts';
import { configureSharp } from './imaging/sharp.ts';
import { createMemoryLimiter } from './limits/memory.ts';
import { createSlots } from './limits/slots.ts';
import type { Log } from './log.ts';
import { readCustomModels } from './models/custom.ts';
import { createModels, type Models } from './models/service.ts';
import { createCleanup, type Cleanup } from './ops/cleanup.ts';
import type { Configuration } from './ops/configuration.ts';
import { createHealth, type HealthService } from './ops/health.ts';
import { PhotoEntity, RenditionEntity } from './photos/entity.ts';
import { createReceiver } from './photos/receive.ts';
import { createRenditions, type Renditions } from './photos/renditions.ts';
import { createPhotos, type Photos } from './photos/service.ts';
import { createBuiltinProvider } from './providers/builtin.ts';
import { createEventBus } from './pubsub/pubsub.ts';
import { JobEntity } from './queue/entity.ts';
import { createLocalQueue } from './queue/local.ts';
import { createAttempt } from './restorations/attempt.ts';
import { RestorationEntity, RunEntity, SubmissionEntity } from './restorations/entity.ts';
import { createErase } from './restorations/erase.ts';
import { createFileSource } from './restorations/files.ts';
import { createFollow, type Follow } from './restorations/follow.ts';
import { createJournal } from './restorations/journal.ts';
import { createProgress, type ProgressBoard } from './restorations/progress.ts';
import { createResults } from './restorations/result.ts';
import { createRunner } from './restorations/runner.ts';
import { createRestorations, type Restorations } from './restorations/service.ts';
import { createSubmit, type Submit } from './restorations/submit.ts';
import { schema } from './schema.ts';
import { createStorage } from './storage/create.ts';
import { createDiskStorage } from './storage/disk.ts';
import { createLinks, type Links } from './storage/links.ts';
import { createSpool } from './storage/spool.ts';
import packageJson from '../package.json' with { type: 'json' };

/** Every table of the database. */
export const ENTITIES = [
  UserEntity,
  SessionEntity,
  PhotoEntity,
  RenditionEntity,
  EventEntity,
  JobEntity,
  RestorationEntity,
  RunEntity,
  SubmissionEntity,
];

/** What resolvers can reach. */
export interface Services {
  readonly auth: Auth;
  readonly photos: Photos;
  readonly renditions: Renditions;
  readonly models: Models;
  readonly restorations: Restorations;
  readonly submit: Submit;
  readonly follow: Follow;
  readonly progress: ProgressBoard;
  readonly links: Links;
  readonly health: HealthService;
  readonly cleanup: Cleanup;
  readonly configuration: Configuration;
}

export interface App {
  readonly services: Services;
  /** A context for what the service or its operator does by itself. */
  systemContext(signal?: AbortSignal): ServiceContext;
  /** Starts to work and to answer. */
  listen(): Promise<{ url: string; port: number }>;
  /** Stops as gently as `shutdownSeconds` allows; a second call does nothing. */
  close(): Promise<void>;
}

async function lockOrExplain(dataDir: string): Promise<HeldDataDirLock> {
  const lock = await lockDataDir(dataDir);
  if (lock.held) return lock;
  const by =
    lock.owner === undefined ? 'another process' : `the service at ${lock.owner.url} (process ${lock.owner.pid})`;
  throw new ConfigError([`DATA_DIR ${dataDir} is in use by ${by}: stop it, or set another DATA_DIR`]);
}

function maxResultPixels({ maxOutputMegapixels }: Config): number {
  return maxOutputMegapixels > 0 ? maxOutputMegapixels * 1e6 : Number.POSITIVE_INFINITY;
}

/** 0 = no limit also for results. */
function resultLimits(limits: ImageLimits, maxOutputMegapixels: number): ImageLimits {
  return {
    ...limits,
    maxMegapixels: maxOutputMegapixels,
    maxSide: 0,
    maxDecodedBytes: Number.MAX_SAFE_INTEGER,
    allowedMimeTypes: [],
  };
}

/**
 * Builds the service in the order of its ranks: the only place that knows which adapter is in use.
 *
 * @throws ConfigError for what an operator has to mend.
 */
export async function createApp(config: Config, log: Log): Promise<App> {
  await using stack = new AsyncDisposableStack();
  const now = Date.now;
  configureSharp();
  const lock = stack.adopt(await lockOrExplain(config.dataDir), (held) => held.release());
  const secret = await loadSecret(config.dataDir, config.jwtSecret);
  const database = stack.adopt(await openDatabase({ path: config.databasePath, entities: ENTITIES }), (open) =>
    open.close(),
  );
  await migrate(database, config.databasePath, log);
  const fork = database.fork;

  const scratchDir = join(config.storagePath, 'tmp');
  await mkdir(scratchDir, { recursive: true });
  const storage = createStorage(createDiskStorage({ root: config.storagePath, log }));
  const spool = createSpool({ dir: scratchDir, maxBytes: config.maxUploadBytes, log });
  await spool.sweep(0);
  const signingKeys =
    config.urlSigningKeys.length > 0 ? config.urlSigningKeys : [deriveKey(secret, 'links').toString('hex')];
  const links = createLinks({ keys: signingKeys });
  const limiter = createMemoryLimiter();
  const bus = createEventBus<Topics>();
  const queue = createLocalQueue({ fork, log });

  const builtin = stack.adopt(createBuiltinProvider({ maxResultPixels: maxResultPixels(config) }), (provider) =>
    provider.close?.(),
  );
  const imageLimits: ImageLimits = {
    maxMegapixels: config.maxMegapixels,
    maxSide: config.maxSide,
    maxDecodedBytes: 400e6,
    maxFrames: 1000,
    maxPages: 50,
    allowedMimeTypes: config.allowedMimeTypes,
  };
  const outputLimits = resultLimits(imageLimits, config.maxOutputMegapixels);

  const events = createEvents({ bus, now });
  const renditions = createRenditions({ storage, scratchDir, quality: config.webpQuality, limits: outputLimits, now });
  const journal = createJournal({ events });
  const progress = createProgress();
  const results = createResults({
    storage,
    renditions,
    scratchDir,
    processedDir: config.processedDir,
    limits: outputLimits,
  });
  const models = createModels({
    providers: [builtin],
    custom: readCustomModels(config.modelsConfig),
    defaultModel: config.defaultModel,
    requireAuth: config.modelsRequireAuth,
  });

  const restorations = createRestorations({
    storage,
    queue,
    events,
    journal,
    renditions,
    progress,
    maxAttempts: config.maxAttempts,
    now,
  });
  const receiver = createReceiver({
    ...{ storage, events, queue, limiter, imageLimits, now },
    uploadBudget: { name: 'upload', points: config.uploadsPerHour, seconds: 3600 },
    uploadDir: config.uploadDir,
  });
  const photos = createPhotos({ storage, events, queue, receiver, renditions, dependants: restorations });
  const submit = createSubmit({
    ...{ models, photos, receiver, queue, journal, limiter, now },
    limits: {
      maxQueuedPerSession: config.maxQueuedPerSession,
      maxOutputMegapixels: config.maxOutputMegapixels,
      maxAttempts: config.maxAttempts,
      guestBudget: { name: 'guest-restoration', points: config.guestRestorationsPerMinute, seconds: 60 },
    },
  });
  const follow = createFollow({ events, restorations, fork });

  const sessionEnded = new Set<(sessionId: string) => void>();
  const auth = createAuth({
    ...createErase({ photos, events }),
    tokens: createTokens({ secret, expiresInSeconds: config.jwtExpiresIn }),
    passwords: createPasswords(),
    onSessionEnded: (sessionId) => {
      for (const listener of sessionEnded) listener(sessionId);
    },
    ...{ limiter, config, log, fork, now },
  });
  const systemContext = (signal: AbortSignal = new AbortController().signal): ServiceContext => {
    const requestId = newId();
    return { em: fork(), actor: { kind: 'system' }, requestId, signal, log: log.child({ requestId }) };
  };
  const cleanup = createCleanup({
    ...{ auth, spool, systemContext, fork, log, now },
    idleHours: config.sessionCleanupHours,
    intervalHours: config.sessionCleanupIntervalHours,
  });
  const health = createHealth({ fork, queue, scratchDir, version: packageJson.version, now });
  const services: Services = {
    ...{ auth, photos, renditions, models, restorations, submit, follow, progress, links, health, cleanup },
    configuration: config,
  };

  const server = createHttpServer({
    ...{ config, log, schema, spool, health },
    authenticate: auth.authenticate,
    contextFor: (facts) => ({ ...facts, em: fork(), services }),
    uploadSlots: createSlots({ max: config.maxConcurrentUploadsPerSession }),
    files: { links, storage, source: createFileSource({ fork, renditions }) },
    pages: PAGES,
    tabs: GRAPHIQL_TABS,
    onSessionEnded: (listener) => {
      sessionEnded.add(listener);
      return () => sessionEnded.delete(listener);
    },
  });
  const attempt = createAttempt({ models, storage, results, journal, progress, fork });
  const runner = createRunner({
    ...{ attempt, models, journal, results, renditions, fork, log, now },
    concurrency: config.maxConcurrent,
    concurrencyPerSession: config.maxConcurrentPerSession,
    timeoutSeconds: config.jobTimeoutSeconds,
    retryDelaySeconds: config.retryDelaySeconds,
  });

  const { adminUsername, adminPassword } = config;
  if (adminUsername !== undefined && adminPassword !== undefined) {
    await auth.users.ensureAdmin(systemContext(), { username: adminUsername, password: adminPassword });
  }

  const teardown = stack.move();
  return {
    services,
    systemContext,
    async listen() {
      await queue.start({
        restoration: runner,
        photo: {
          ...{ concurrency: 1, concurrencyPerGroup: 1 },
          async run({ refId, signal }) {
            await photos.prepare(systemContext(signal), refId);
            return { done: true };
          },
          abandon: async () => {},
        },
      });
      const address = await server.listen();
      await lock.announce({ url: address.url, pid: process.pid });
      cleanup.start();
      return address;
    },
    async close() {
      if (teardown.disposed) return;
      await cleanup.stop();
      // Both at once: subscribers see the restorations that finish, and no new work comes in.
      const graceMs = config.shutdownSeconds * 1000;
      await Promise.all([server.close(graceMs), queue.close(graceMs)]);
      await teardown.disposeAsync();
    },
  };
}
