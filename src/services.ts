import { createPasswords } from './auth/passwords.ts';
import { createAuth, type Auth } from './auth/service.ts';
import { createTokens } from './auth/tokens.ts';
import type { ServiceContext } from './db/context.ts';
import { newId } from './db/ids.ts';
import { createEvents } from './events/service.ts';
import type { Mechanisms } from './mechanisms.ts';
import { readCustomModels } from './models/custom.ts';
import { createModels, type Models } from './models/service.ts';
import { createCleanup, type Cleanup } from './ops/cleanup.ts';
import type { Configuration } from './ops/configuration.ts';
import { createHealth, type HealthService } from './ops/health.ts';
import { createMissing } from './ops/missing.ts';
import { createSlowClock } from './ops/slow-clock.ts';
import { createSweep } from './ops/sweep.ts';
import { createDiagnoses, DIAGNOSIS_JOB, type Diagnoses } from './photos/diagnosis.ts';
import { createPreparer } from './photos/preparer.ts';
import { createReceiver } from './photos/receive.ts';
import { createRenditions, type Renditions } from './photos/renditions.ts';
import { createPhotos, type Photos } from './photos/service.ts';
import { planAuto } from './providers/builtin.ts';
import type { JobHandler } from './queue/queue.ts';
import { createAdmission } from './restorations/admission.ts';
import { createAttempt } from './restorations/attempt.ts';
import { createErase } from './restorations/erase.ts';
import { createFollow, type Follow } from './restorations/follow.ts';
import { createJournal } from './restorations/journal.ts';
import { createMasks, type Masks } from './restorations/masks.ts';
import { createProgress, type ProgressBoard } from './restorations/progress.ts';
import { createResults } from './restorations/result.ts';
import { createRunner } from './restorations/runner.ts';
import { createRestorations, type Restorations } from './restorations/service.ts';
import { createSubmit, type Submit } from './restorations/submit.ts';
import packageJson from '../package.json' with { type: 'json' };

/** What resolvers can reach. */
export interface Services {
  readonly auth: Auth;
  readonly photos: Photos;
  readonly renditions: Renditions;
  readonly diagnoses: Diagnoses;
  readonly models: Models;
  readonly restorations: Restorations;
  readonly masks: Masks;
  readonly submit: Submit;
  readonly follow: Follow;
  readonly progress: ProgressBoard;
  readonly links: Mechanisms['links'];
  readonly health: HealthService;
  readonly cleanup: Cleanup;
  readonly configuration: Configuration;
}

/** The features, in the order of their ranks. */
export interface Features {
  readonly services: Services;
  /** What the queue does for each kind of job. */
  readonly handlers: Record<'restoration' | 'photo' | typeof DIAGNOSIS_JOB, JobHandler>;
  /** A context for what the service or its operator does by itself. */
  systemContext(signal?: AbortSignal): ServiceContext;
  /** Calls `listener` with the id of each session that ends; returns how to stop it. */
  onSessionEnded(listener: (sessionId: string) => void): () => void;
}

export function createFeatures(mechanisms: Mechanisms): Features {
  const { config, log, now, fork, storage, scratchDir, links, limiter, bus, queue } = mechanisms;
  const { imageLimits, resultLimits, decoding } = mechanisms;

  const events = createEvents({ bus, now });
  const journal = createJournal({ events });
  const progress = createProgress();
  const { webpQuality, uploadDir, processedDir, maxAttempts } = config;
  const renditions = createRenditions({
    storage,
    scratchDir,
    decoding,
    quality: webpQuality,
    limits: resultLimits,
    now,
  });
  const uploadBudget = { name: 'upload', points: config.uploadsPerHour, seconds: 3600 };
  const masks = createMasks({ storage, scratchDir, decoding, imageLimits, limiter, uploadBudget, now });
  const limits = resultLimits;
  const results = createResults({ storage, renditions, masks, scratchDir, processedDir, decoding, limits });
  const models = createModels({
    providers: mechanisms.providers,
    custom: readCustomModels(config.modelsConfig, mechanisms.providers),
    defaultModel: config.defaultModel,
    requireAuth: config.modelsRequireAuth,
  });

  const admission = createAdmission({
    limiter,
    maxQueuedPerSession: config.maxQueuedPerSession,
    guestBudget: { name: 'guest-restoration', points: config.guestRestorationsPerMinute, seconds: 60 },
  });
  const restorations = createRestorations({
    storage,
    queue,
    events,
    journal,
    renditions,
    progress,
    models,
    admission,
    masks,
    maxAttempts,
    now,
  });
  const receiver = createReceiver({
    storage,
    events,
    queue,
    limiter,
    imageLimits,
    decoding,
    uploadBudget,
    uploadDir,
    now,
  });
  const diagnoses = createDiagnoses({
    storage,
    events,
    queue,
    pixels: mechanisms.backgroundPixels,
    nets: mechanisms.nets,
    decoding,
    limits: imageLimits,
    plan: planAuto,
    now,
  });
  const photos = createPhotos({ storage, events, queue, receiver, renditions, dependants: restorations });
  const submit = createSubmit({
    models,
    photos,
    receiver,
    queue,
    journal,
    masks,
    processedDir,
    admission,
    limits: { maxOutputMegapixels: config.maxOutputMegapixels, maxAttempts },
    now,
  });

  const sessionEnded = new Set<(sessionId: string) => void>();
  const auth = createAuth({
    ...createErase({ photos, events }),
    tokens: createTokens({ secret: mechanisms.secret, expiresInSeconds: config.jwtExpiresIn, now }),
    passwords: createPasswords(),
    onSessionEnded: (sessionId) => {
      for (const listener of sessionEnded) listener(sessionId);
    },
    limiter,
    config,
    log,
    fork,
    now,
  });

  function systemContext(signal: AbortSignal = new AbortController().signal): ServiceContext {
    const requestId = newId();
    return { em: fork(), actor: { kind: 'system' }, requestId, signal, log: log.child({ requestId }) };
  }

  const clock = createSlowClock({ now });
  const folders = [uploadDir, processedDir];
  const cleanup = createCleanup({
    auth,
    sweep: createSweep({ storage, fork, log, folders, scratchDir, leftBehind: mechanisms.leftBehind, clock }),
    missing: createMissing({ storage, fork, log }),
    clock,
    systemContext,
    fork,
    log,
    idleHours: config.sessionCleanupHours,
    intervalHours: config.sessionCleanupIntervalHours,
  });
  const runner = createRunner({
    attempt: createAttempt({ models, storage, results, masks, journal, progress, fork, log }),
    models,
    journal,
    results,
    renditions,
    masks,
    progress,
    fork,
    log,
    concurrency: config.maxConcurrent,
    concurrencyPerSession: config.maxConcurrentPerSession,
    timeoutSeconds: config.jobTimeoutSeconds,
    retryDelaySeconds: config.retryDelaySeconds,
    now,
  });

  const preparing = { systemContext, log, retryDelaySeconds: config.retryDelaySeconds, now };

  return {
    services: {
      auth,
      photos,
      renditions,
      diagnoses,
      models,
      restorations,
      masks,
      submit,
      follow: createFollow({ events, restorations, fork }),
      progress,
      links,
      health: createHealth({
        fork,
        queue,
        scratchDir,
        databasePath: config.databasePath,
        missingFiles: cleanup.missingFiles,
        version: packageJson.version,
        log,
        now,
      }),
      cleanup,
      configuration: config,
    },
    handlers: {
      restoration: runner,
      photo: createPreparer({ ...preparing, what: 'the renditions', work: photos.prepare }),
      [DIAGNOSIS_JOB]: createPreparer({
        ...preparing,
        what: 'the diagnosis',
        work: diagnoses.run,
        giveUp: diagnoses.giveUp,
      }),
    },
    systemContext,
    onSessionEnded(listener) {
      sessionEnded.add(listener);
      return () => sessionEnded.delete(listener);
    },
  };
}
