import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/sqlite';
import { requireUser } from '../auth/require.ts';
import type { Owned, ServiceContext, UserActor } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { AppError } from '../errors.ts';
import { resultFormat, type OutputFormat } from '../imaging/encode.ts';
import type { MetadataPolicy } from '../imaging/metadata.ts';
import { checkOptions, type RequestedOptions } from '../models/options.ts';
import type { Models } from '../models/service.ts';
import type { Photo } from '../photos/entity.ts';
import type { Received, Receiver } from '../photos/receive.ts';
import type { Photos } from '../photos/service.ts';
import type { Queue } from '../queue/queue.ts';
import type { IncomingFile } from '../storage/spool.ts';
import type { Admission } from './admission.ts';
import { RestorationEntity, SubmissionEntity, type Restoration } from './entity.ts';
import { restorationById, type Change, type Journal } from './journal.ts';
import { keyOf } from './keys.ts';
import type { Masks, StoredMask } from './masks.ts';
import type { RestorationOptions } from './options.ts';

export interface RestoreInput {
  file?: Promise<IncomingFile> | undefined;
  /** Null = a photo that does not exist. */
  photoId?: string | null | undefined;
  modelId?: string | undefined;
  options?:
    | (Omit<RequestedOptions, 'mask'> & {
        mask?: Promise<IncomingFile> | null | undefined;
        outputFormat?: OutputFormat | null | undefined;
        outputQuality?: number | null | undefined;
        metadataPolicy?: MetadataPolicy | null | undefined;
      })
    | undefined;
  idempotencyKey?: string | undefined;
}

export interface SubmitLimits {
  maxOutputMegapixels: number;
  maxAttempts: number;
}

/** A key is good for a day; afterwards the same key makes a new restoration. */
export const IDEMPOTENCY_MS = 24 * 3600 * 1000;
const KEY_LENGTH = 200;

function checkQuality(quality: number | null | undefined): number | null {
  if (quality == null) return null;
  if (Number.isInteger(quality) && quality >= 1 && quality <= 100) return quality;
  throw new AppError('BAD_USER_INPUT', 'outputQuality must be between 1 and 100.', {
    field: 'input.options.outputQuality',
  });
}

function checkInput({ file, photoId, idempotencyKey }: RestoreInput): void {
  if ((file === undefined) === (photoId === undefined)) {
    throw new AppError('BAD_USER_INPUT', 'Give file or photoId, one of the two.', { field: 'input.file' });
  }
  if (idempotencyKey !== undefined && (idempotencyKey === '' || idempotencyKey.length > KEY_LENGTH)) {
    throw new AppError('BAD_USER_INPUT', `idempotencyKey must have 1 to ${KEY_LENGTH} characters.`, {
      field: 'input.idempotencyKey',
    });
  }
}

/** Takes restorations in: checks, stores and queues them in one transaction. */
export function createSubmit(deps: {
  models: Models;
  photos: Photos;
  receiver: Receiver;
  queue: Queue;
  journal: Journal;
  masks: Masks;
  /** Where results are kept, and masks beside them. */
  processedDir: string;
  admission: Admission;
  limits: SubmitLimits;
  now: () => number;
}) {
  const { models, photos, receiver, queue, journal, masks, admission, limits } = deps;

  async function repeated(
    em: EntityManager,
    userId: string,
    key: string,
    bodyHash: string,
  ): Promise<Restoration | null> {
    const before = await em.findOne(SubmissionEntity, { userId, key }, { disableIdentityMap: true });
    if (before === null) return null;
    if (before.createdAt.getTime() < deps.now() - IDEMPOTENCY_MS) {
      await em.nativeDelete(SubmissionEntity, { id: before.id });
      return null;
    }
    if (before.bodyHash !== bodyHash) {
      throw new AppError('CONFLICT', 'This idempotencyKey was used for another request.', {
        field: 'input.idempotencyKey',
      });
    }
    return restorationById(em, before.restorationId);
  }

  function checkOutput(photo: Photo, { upscale, outputFormat }: RestorationOptions): void {
    resultFormat(outputFormat, photo.format, Math.max(photo.width, photo.height) * upscale);
    const megapixels = (photo.width * photo.height * upscale ** 2) / 1e6;
    if (limits.maxOutputMegapixels === 0 || megapixels <= limits.maxOutputMegapixels) return;
    throw new AppError(
      'IMAGE_TOO_LARGE',
      `The result would have ${megapixels.toFixed(1)} megapixels; at most ${limits.maxOutputMegapixels} are allowed.`,
      { field: 'input.options.upscale' },
    );
  }

  /** Takes in the mask that was sent with a photo; a photo that was new goes again when the mask will not do. */
  async function receiveMask(
    ctx: ServiceContext,
    { sessionId }: UserActor,
    { received, restorationId: id }: { received: Received; restorationId: string },
    upload: Promise<IncomingFile>,
  ): Promise<StoredMask> {
    const { photo } = received;
    try {
      const key = keyOf(deps.processedDir, { id, attempts: 0, sessionId }, photo, '.own-mask.png');
      return await masks.receive(ctx, upload, photo, key);
    } catch (error) {
      await receiver.drop(received);
      throw error;
    }
  }

  async function insert(
    em: EntityManager,
    actor: UserActor,
    photo: Photo,
    { id, modelId, options }: Pick<Restoration, 'id' | 'modelId' | 'options'>,
    mask: StoredMask | undefined,
  ): Promise<Change> {
    const now = new Date(deps.now());
    const restoration: Restoration = {
      id,
      createdAt: now,
      queuedAt: now,
      userId: actor.userId,
      sessionId: actor.sessionId,
      photoId: photo.id,
      modelId,
      options,
      status: 'QUEUED',
      stage: null,
      percent: 0,
      attempts: 0,
      triesLeft: limits.maxAttempts,
      fence: 0,
      lastEvent: null,
      startedAt: null,
      finishedAt: null,
      report: null,
      storageKey: null,
      format: null,
      mimeType: null,
      width: null,
      height: null,
      bytes: null,
      sha256: null,
      errorCode: null,
      errorMessage: null,
      errorRetryAfter: null,
      errorProvider: null,
    };
    await em.insert(RestorationEntity, restoration);
    if (mask !== undefined) await masks.insert(em, restoration, mask, true);
    await queue.add(em, { kind: 'restoration', refId: restoration.id, groupId: actor.sessionId });
    return journal.begin(em, restoration);
  }

  /**
   * Submits one restoration of a new or a known photo. Its work begins as soon as a place is free.
   *
   * @throws AppError as `Receiver.receive`, and NOT_FOUND, UNKNOWN_MODEL, MODEL_UNAVAILABLE, BAD_USER_INPUT,
   *   IMAGE_TOO_LARGE, CONFLICT.
   */
  return async function submit(
    ctx: ServiceContext,
    input: RestoreInput,
  ): Promise<{ photo: Owned<Photo>; restoration: Restoration }> {
    const actor = requireUser(ctx);
    checkInput(input);
    const { model } = await models.resolve(input.modelId, ctx.signal);
    const { outputFormat, outputQuality, metadataPolicy, ...requested } = input.options ?? {};
    const options: RestorationOptions = {
      ...checkOptions(model, requested),
      outputFormat: outputFormat ?? 'ORIGINAL',
      outputQuality: checkQuality(outputQuality),
      metadataPolicy: metadataPolicy ?? 'STRIP_PRIVATE',
    };

    const key = input.idempotencyKey;
    const isRepeated = key !== undefined && (await ctx.em.count(SubmissionEntity, { userId: actor.userId, key })) > 0;
    if (!isRepeated) {
      await admission.checkRoom(ctx.em, actor);
      await admission.takeBudget(actor);
    }

    const received =
      input.file === undefined
        ? { photo: await photos.get(ctx, input.photoId ?? null), isNew: false }
        : await receiver.receive(ctx, input.file);
    const restorationId = newId();
    const mask = requested.mask && (await receiveMask(ctx, actor, { received, restorationId }, requested.mask));
    const bodyHash = createHash('sha256')
      .update(JSON.stringify([received.photo.sha256, model.id, options, mask?.sha256]))
      .digest('hex');

    const write = async (em: EntityManager, committed: Photo): Promise<Change | Restoration> => {
      const before = key === undefined ? null : await repeated(em, actor.userId, key, bodyHash);
      if (before !== null) return before;
      checkOutput(committed, options);
      await admission.checkRoom(em, actor);
      const asked = { id: restorationId, modelId: model.id, options };
      const change = await insert(em, actor, committed, asked, mask ?? undefined);
      if (key !== undefined) {
        const createdAt = new Date(deps.now());
        await em.insert(SubmissionEntity, {
          id: newId(),
          createdAt,
          userId: actor.userId,
          key,
          bodyHash,
          restorationId,
        });
      }
      return change;
    };
    const { photo, written } = await receiver.commit(ctx, received, write).catch(async (error: unknown) => {
      if (mask) await masks.drop(mask);
      throw error;
    });
    if (!('event' in written)) {
      if (mask) await masks.drop(mask);
      return { photo, restoration: written };
    }
    journal.publish(written);
    queue.wake();
    return { photo, restoration: written.restoration };
  };
}

export type Submit = ReturnType<typeof createSubmit>;
