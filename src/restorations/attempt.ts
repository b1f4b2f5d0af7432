import type { EntityManager } from '@mikro-orm/sqlite';
import { AppError } from '../errors.ts';
import type { RestorationStage } from '../imaging/pipeline.ts';
import type { RestorationReport } from '../imaging/report.ts';
import type { Log } from '../log.ts';
import type { Models } from '../models/service.ts';
import type { Photo } from '../photos/entity.ts';
import type { RestoreOptions, RestoreProgress } from '../providers/provider.ts';
import type { Storage } from '../storage/storage.ts';
import type { Restoration } from './entity.ts';
import { LostClaim, type Journal } from './journal.ts';
import type { Masks } from './masks.ts';
import { etaOf, type ProgressBoard } from './progress.ts';
import type { Results, StoredResult } from './result.ts';

/** Share of the whole that the provider's part is worth; the rest is encoding, renditions and storing. */
const PROVIDER_SHARE = 90;

export interface Finished {
  readonly stored: StoredResult;
  readonly report: RestorationReport;
}

/** Works on one claimed restoration until its result is stored; writes nothing but stages. */
export function createAttempt(deps: {
  models: Models;
  storage: Storage;
  results: Results;
  masks: Masks;
  journal: Journal;
  progress: ProgressBoard;
  fork: () => EntityManager;
  log: Log;
}) {
  const { models, storage, results, journal } = deps;

  /**
   * @throws AppError of the provider, the storage or the registry; LostClaim; the signal's reason.
   */
  return async function attempt(running: Restoration, photo: Photo, signal: AbortSignal): Promise<Finished> {
    const { model, provider } = await models.resolve(running.modelId, signal);
    await using source = await storage.local(photo.storageKey);
    if (source === null) throw new AppError('NOT_FOUND', 'The original is no longer in the storage.');

    const [own] = running.options.ownMask === true ? await deps.masks.of(deps.fork(), [running.id]) : [];
    await using mask = own === undefined ? null : await storage.local(own.storageKey);
    if (running.options.ownMask === true && mask === null) {
      throw new AppError('NOT_FOUND', 'The mask is no longer in the storage.');
    }

    const begun = performance.now();
    let latest = running;
    const losing = new AbortController();
    const both = AbortSignal.any([signal, losing.signal]);
    let writing = Promise.resolve();
    let toWrite = 0;
    const board = deps.progress.track(running.id, ({ percent, etaSeconds }) => {
      // A stage that is being written was reported earlier: what comes after it must not overtake it.
      if (toWrite === 0) journal.publishLive(latest, percent, etaSeconds);
    });

    async function writeStage(stage: RestorationStage, percent: number, message: string | null): Promise<void> {
      const patch = { stage, percent };
      const change = await deps
        .fork()
        .transactional((em) => journal.stage(em, running.id, running.fence, patch, message));
      latest = { ...change.restoration, stage: latest.stage };
      journal.publish(change, board.current.etaSeconds);
    }

    /** Stages are written one after the other, in the order in which they were reported. */
    function enter(stage: RestorationStage, message: string | null): void {
      if (stage === latest.stage) return;
      const { percent } = board.current;
      latest = { ...latest, stage };
      toWrite += 1;
      writing = writing
        .then(() => writeStage(stage, percent, message))
        .catch((err: unknown) => {
          // A stage that could not be written costs nobody the result; a claim that is lost ends the work at once.
          if (err instanceof LostClaim) losing.abort(err);
          else deps.log.warn({ err, restorationId: running.id, stage }, 'could not write a stage');
        })
        .finally(() => {
          toWrite -= 1;
        });
    }

    function onProgress({ stage, percent, etaSeconds, message }: RestoreProgress): void {
      const overall = (percent * PROVIDER_SHARE) / 100;
      board.report(overall, etaSeconds ?? etaOf(overall, performance.now() - begun));
      enter(stage, message ?? null);
    }

    try {
      enter('PREPARING', null);
      const { strength, upscale, quality = 'BALANCED', repair = 'AUTO', parameters } = running.options;
      const options: RestoreOptions = {
        ...(model.options.includes('strength') ? { strength } : {}),
        ...(model.options.includes('quality') ? { quality } : {}),
        ...(model.options.includes('repair') ? { repair } : {}),
        ...(upscale === 1 || upscale === 2 || upscale === 4 ? { upscale } : {}),
      };
      const { format, width, height, bytes, mimeType } = photo;
      const result = await provider.restore(
        {
          restorationId: running.id,
          attempt: running.attempts,
          model: model.model,
          parameters,
          options,
          input: {
            path: source.path,
            format,
            width,
            height,
            bytes,
            mimeType,
          },
          ...(mask === null ? {} : { mask }),
        },
        { signal: both, onProgress },
      );
      board.report(PROVIDER_SHARE, etaOf(PROVIDER_SHARE, performance.now() - begun));
      enter('FINISHING', null);
      const stored = await results.store(latest, photo, source.path, result, provider.id, both);
      await writing;
      if (!losing.signal.aborted) return { stored, report: result.report };
      await results.drop(stored);
      throw losing.signal.reason;
    } finally {
      board.close();
      await writing;
    }
  };
}

export type Attempt = ReturnType<typeof createAttempt>;
