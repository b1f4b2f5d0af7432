import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.ts';
import type { Client } from './client.ts';
import { CANCEL, FOLLOW, OUTCOME, RESTORE } from './documents.ts';
import { CliError } from './exit.ts';
import type { FollowRestorationSubscription, RestorationOptionsInput } from './generated/graphql.ts';
import { checkPhoto } from './inputs.ts';
import { checkTarget, comparisonPath, maskPath, resultPath, writeWhole, type Target } from './outputs.ts';
import type { Progress } from './progress.ts';
import { outcomeOf, type Outcome } from './report/outcome.ts';

type Restored = FollowRestorationSubscription['restorationUpdated']['restoration'];

export interface RestoreSettings {
  readonly modelId: string | undefined;
  readonly options: RestorationOptionsInput;
  /** Path of a picture that says what to repair. */
  readonly mask: string | undefined;
  /** Bytes; 0 = no limit. */
  readonly maxUploadBytes: number;
  readonly compare: boolean;
  /** Also write what was repaired. */
  readonly saveMask: boolean;
  /** Write over what exists. */
  readonly force: boolean;
}

export interface Done {
  readonly path: string;
  /** Of the result, e.g. `jpeg`. */
  readonly format: string;
  readonly comparison: string | undefined;
  /** Of the picture of what was repaired; null where nothing was, undefined where nobody asked for it. */
  readonly mask: string | null | undefined;
  readonly restored: Restored;
  /** The photo as the service took it. */
  readonly stored: { readonly format: string; readonly width: number; readonly height: number };
  /** What was done to it; null where the service could not say. */
  readonly outcome: Outcome | null;
}

/** The longest a service may make us wait when it is asked too often. */
const MAX_WAIT_SECONDS = 120;
const MAX_WAITS = 10;
const CANCEL_MS = 5000;

/** How the format of a photo, as `Photo.format` names it, comes out when none is asked for. */
const KEPT: Readonly<Record<string, string>> = { jpeg: 'jpeg', webp: 'webp', avif: 'webp' };

function resultFormat(photoFormat: string, { outputFormat = 'ORIGINAL' }: RestorationOptionsInput): string {
  return outputFormat === 'ORIGINAL' || outputFormat === null
    ? (KEPT[photoFormat] ?? 'png')
    : outputFormat.toLowerCase();
}

/** Does it again as often as the service says it was asked too often. */
async function patiently<T>(work: () => Promise<T>, progress: Progress, signal: AbortSignal): Promise<T> {
  for (let waits = 0; ; waits += 1) {
    try {
      return await work();
    } catch (error) {
      const seconds = error instanceof AppError && error.code === 'RATE_LIMITED' ? error.retryAfter : undefined;
      if (seconds === undefined || seconds > MAX_WAIT_SECONDS || waits === MAX_WAITS) throw error;
      progress.say(`the service asks to wait ${Math.ceil(seconds)} s`);
      await sleep(seconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** Follows a restoration to its end; when `signal` fires it is cancelled on the service, too. */
async function follow(client: Client, id: string, progress: Progress, signal: AbortSignal): Promise<Restored> {
  try {
    for await (const { restorationUpdated: event } of client.follow(FOLLOW, { id }, signal)) {
      progress.update(event);
      if (event.status === 'SUCCEEDED') return event.restoration;
      if (event.status === 'CANCELLED') throw new CliError('It was cancelled on the service.', 'refused');
      if (event.status === 'FAILED') {
        const { code = 'INTERNAL_SERVER_ERROR', message = 'Something went wrong.' } = event.restoration.error ?? {};
        throw new AppError(code, message);
      }
    }
  } catch (error) {
    if (signal.aborted) {
      progress.say('cancelling');
      // It may have ended meanwhile, and a service that is gone has nothing left to cancel.
      await client.execute(CANCEL, { id }, AbortSignal.timeout(CANCEL_MS)).catch(() => {});
    }
    throw error;
  }
  throw new CliError(`The service ended the connection before the restoration did.`);
}

async function checkMask(path: string, maxBytes: number): Promise<void> {
  await checkPhoto(path, maxBytes).catch((error: unknown) => {
    if (!(error instanceof CliError)) throw error;
    throw new CliError(`The mask ${path}: ${error.message}`, error.exit, error);
  });
}

async function writeComparison(
  path: string,
  photo: { path: string; format: string },
  result: { path: string; format: string },
  settings: { force: boolean; signal: AbortSignal },
): Promise<void> {
  const [{ writeComparison: write }, { configureSharp }] = await Promise.all([
    import('../imaging/compare.ts'),
    import('../imaging/sharp.ts'),
  ]);
  configureSharp();
  await writeWhole(path, settings.force, async (temporary) => {
    await write({ before: photo, after: result, path: temporary, signal: settings.signal });
  });
}

/** What was done and why. The result is there already, so that a service that cannot tell fails nothing. */
async function askOutcome(client: Client, id: string, signal: AbortSignal): Promise<Outcome | null> {
  try {
    const { restoration } = await client.execute(OUTCOME, { id }, signal);
    return restoration == null ? null : outcomeOf(restoration);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError || error instanceof CliError) return null;
    throw error;
  }
}

/** @returns its path; null where nothing was repaired. @throws CliError where it cannot be had: the result is there already. */
async function writeMask(
  client: Client,
  path: string,
  outcome: Outcome | null,
  settings: { force: boolean; signal: AbortSignal },
): Promise<string | null> {
  if (outcome === null) {
    throw new CliError('The result is written, but the service does not say what was repaired: no mask is written.');
  }
  const { mask } = outcome;
  if (mask === null) return null;
  await writeWhole(path, settings.force, async (temporary) => {
    await client.download(mask, temporary, settings.signal);
  });
  return path;
}

/**
 * Restores one photo: uploads it, follows the work and writes the result.
 *
 * @throws AppError and CliError saying why not; the reason of `signal`. Nothing half-written stays behind.
 */
export async function restorePhoto(
  client: Client,
  photo: string,
  target: Target,
  settings: RestoreSettings,
  progress: Progress,
  signal: AbortSignal,
): Promise<Done> {
  const { modelId, mask, force, compare, saveMask } = settings;
  const options = mask === undefined ? settings.options : { ...settings.options, mask: null };
  await checkPhoto(photo, settings.maxUploadBytes);
  if (mask !== undefined) await checkMask(mask, settings.maxUploadBytes);
  const checkTargets = async (format: string): Promise<void> => {
    await checkTarget(resultPath(target, format), photo, force);
    if (compare) await checkTarget(comparisonPath(target), photo, force);
    if (saveMask) await checkTarget(maskPath(target), photo, force);
  };
  const guess = /\.(?<type>jpe?g|webp|avif)$/i.exec(photo)?.groups?.['type']?.toLowerCase().replace('jpg', 'jpeg');
  await checkTargets(resultFormat(guess ?? '', options));

  progress.say('uploading');
  // One key for all tries: a submit that is sent twice is done once.
  const input = { options, idempotencyKey: randomUUID(), file: null, ...(modelId === undefined ? {} : { modelId }) };
  const files = {
    'variables.input.file': photo,
    ...(mask === undefined ? {} : { 'variables.input.options.mask': mask }),
  };
  const submitted = await patiently(() => client.upload(RESTORE, { input }, files, signal), progress, signal);
  const { restoration, photo: stored } = submitted.restorePhoto;
  const restored = await follow(client, restoration.id, progress, signal);

  const { url, sha256 } = restored;
  const format = restored.format ?? resultFormat(stored.format, options);
  if (url === null) throw new CliError('The service has lost the result.', 'refused');
  const path = resultPath(target, format);
  await checkTargets(format);
  progress.say('downloading');
  await writeWhole(path, force, async (temporary) => {
    const received = await client.download(url, temporary, signal);
    if (sha256 !== null && received !== sha256) throw new CliError('The result was damaged on its way. Try again.');
  });
  const comparison = compare ? comparisonPath(target) : undefined;
  if (comparison !== undefined) {
    progress.say('comparing');
    await writeComparison(comparison, { path: photo, format: stored.format }, { path, format }, { force, signal });
  }
  const outcome = await askOutcome(client, restoration.id, signal);
  const repaired = saveMask ? await writeMask(client, maskPath(target), outcome, { force, signal }) : undefined;
  return { path, format, comparison, mask: repaired, restored, stored, outcome };
}
