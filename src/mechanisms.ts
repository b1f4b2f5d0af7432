import { mkdir, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { EntityManager } from '@mikro-orm/sqlite';
import { deriveKey, loadSecret } from './auth/secret.ts';
import type { Config } from './config.ts';
import { takeDataDir, type HeldDataDirLock } from './db/lock.ts';
import { migrate, openDatabase } from './db/orm.ts';
import { keepWal } from './db/wal.ts';
import { ENTITIES } from './entities.ts';
import type { Topics } from './events/service.ts';
import { withFault } from './faults.ts';
import { DEFAULT_LIMITS, type ImageLimits } from './imaging/limits.ts';
import type { Nets } from './imaging/nets.ts';
import { createPixelPool, type PixelPool } from './imaging/pixels/pool.ts';
import { configureSharp } from './imaging/sharp.ts';
import { openNets } from './inference/nets.ts';
import { createGate, type Gate } from './limits/gate.ts';
import type { Limiter } from './limits/limiter.ts';
import { createMemoryLimiter } from './limits/memory.ts';
import type { Log } from './log.ts';
import { createBuiltinProvider } from './providers/builtin.ts';
import { createOnnxProvider } from './providers/onnx.ts';
import type { Provider } from './providers/provider.ts';
import { createEventBus, type EventBus } from './pubsub/pubsub.ts';
import { createLocalQueue } from './queue/local.ts';
import type { Queue } from './queue/queue.ts';
import { createStorage } from './storage/create.ts';
import { createDiskStorage } from './storage/disk.ts';
import { createLinks, type Links } from './storage/links.ts';
import { createSpool, type Spool } from './storage/spool.ts';
import type { Storage } from './storage/storage.ts';

/** Everything below the features, on the adapters that the configuration asks for. */
export interface Mechanisms {
  readonly config: Config;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly lock: HeldDataDirLock;
  readonly secret: string;
  readonly fork: () => EntityManager;
  readonly storage: Storage;
  readonly spool: Spool;
  /** An existing folder beside the storage, for files on their way into it. */
  readonly scratchDir: string;
  /** What was in it at the start. */
  readonly leftBehind: ReadonlySet<string>;
  readonly links: Links;
  readonly limiter: Limiter;
  /** What every decoding of a picture goes through, weighed by the bytes that it takes. */
  readonly decoding: Gate;
  /** One thread for loops over pixels that nobody waits for, which does not stay beside heavy decodings. */
  readonly backgroundPixels: PixelPool;
  /** Those that ship with Heirloom and can be used on this machine. */
  readonly nets: Nets;
  readonly bus: EventBus<Topics>;
  readonly queue: Queue;
  readonly providers: readonly Provider[];
  /** What an upload may be. */
  readonly imageLimits: ImageLimits;
  /** What a result may be. */
  readonly resultLimits: ImageLimits;
}

/** What decoding may take together, so that the whole process stays under 1 GB whatever is uploaded. */
const DECODING_BYTES = 800e6;

/** Of two limits the wider one; 0 = none. Renditions are made of uploads and of results. */
function largest(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.max(a, b);
}

/** The files of a service, also for a command beside it. */
export function openStorage({ storagePath }: Config, log: Log): Storage {
  return createStorage(createDiskStorage({ root: storagePath, log }));
}

/**
 * Opens them in the order of their ranks; `stack` closes them in the reverse one.
 *
 * @throws ConfigError for what an operator has to mend.
 */
export async function openMechanisms(config: Config, log: Log, stack: AsyncDisposableStack): Promise<Mechanisms> {
  configureSharp();
  const lock = stack.adopt(await takeDataDir(config.dataDir), (held) => held.release());
  const secret = await loadSecret(config.dataDir, config.jwtSecret);
  const path = config.databasePath;
  const database = stack.adopt(await openDatabase({ path, entities: ENTITIES }), (open) => open.close());
  await migrate(database, path, log);
  stack.use(keepWal({ database, path, log }));

  const scratchDir = join(config.storagePath, 'tmp');
  await mkdir(scratchDir, { recursive: true });
  const spool = createSpool({ dir: scratchDir, maxBytes: config.maxUploadBytes, log });
  // The lock is held: whatever lies there belongs to a process that has died. The first clean-up removes it.
  const leftBehind = new Set(await readdir(scratchDir));

  const { fork } = database;
  const { maxMegapixels, maxSide, maxOutputMegapixels, allowedMimeTypes, urlSigningKeys } = config;
  const maxResultPixels = maxOutputMegapixels > 0 ? maxOutputMegapixels * 1e6 : Number.POSITIVE_INFINITY;
  const decoding = createGate({ capacity: DECODING_BYTES, places: Math.max(2, availableParallelism()) });
  const backgroundPixels = stack.adopt(createPixelPool({ size: 1, idleMs: 50 }), (pool) => pool.close());
  const nets = stack.adopt(await openNets({ log, use: config.useNets, warmUp: config.warmUpModels }), (open) =>
    open.close(),
  );
  const pixels = stack.adopt(createPixelPool(), (pool) => pool.close());
  const builtin = stack.adopt(createBuiltinProvider({ pixels, nets, maxResultPixels, decoding }), (provider) =>
    provider.close?.(),
  );
  const { modelsDir: folder, allowNoncommercialModels: allowRestricted, executionProviders } = config;
  const { modelEnvironment: environment } = config;
  const own = { pixels, folder, allowRestricted, executionProviders, environment, maxResultPixels, decoding, log };
  const onnx = stack.adopt(await createOnnxProvider(own), (provider) => provider.close?.());
  const unlimited = { maxSide: 0, maxDecodedBytes: Number.MAX_SAFE_INTEGER, allowedMimeTypes: [] };
  const mechanisms: Mechanisms = {
    config,
    log,
    now: Date.now,
    lock,
    secret,
    fork,
    storage: openStorage(config, log),
    spool,
    scratchDir,
    leftBehind,
    links: createLinks({
      keys: urlSigningKeys.length > 0 ? urlSigningKeys : [deriveKey(secret, 'links').toString('hex')],
    }),
    limiter: createMemoryLimiter(),
    decoding,
    backgroundPixels,
    nets,
    bus: createEventBus<Topics>(),
    queue: createLocalQueue({ fork, log }),
    providers: [builtin, onnx],
    imageLimits: { ...DEFAULT_LIMITS, maxMegapixels, maxSide, allowedMimeTypes },
    resultLimits: { ...DEFAULT_LIMITS, ...unlimited, maxMegapixels: largest(maxMegapixels, maxOutputMegapixels) },
  };
  return config.fault === undefined ? mechanisms : withFault(mechanisms, config.fault);
}
