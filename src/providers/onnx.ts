import { totalmem } from 'node:os';
import { AppError } from '../errors.ts';
import { FORMATS, type ImageFormat } from '../imaging/limits.ts';
import { runGated } from '../imaging/pipeline.ts';
import { createPixelPool, type PixelPool } from '../imaging/pixels/pool.ts';
import type { Raster } from '../imaging/raster.ts';
import { readPicture } from '../imaging/read.ts';
import type { Limits } from '../inference/foreign/process.ts';
import { createForeignRunner } from '../inference/foreign/runner.ts';
import type { ExecutionProvider } from '../inference/foreign/session.ts';
import { abortable } from '../limits/abortable.ts';
import type { Gate } from '../limits/gate.ts';
import type { Log } from '../log.ts';
import { describe } from './onnx/describe.ts';
import { createExaminations, type UsableEntry } from './onnx/examinations.ts';
import { readShelf, type ShelfEntry } from './onnx/shelf.ts';
import { workOf } from './onnx/work.ts';
import type { Provider, ProviderStatus, RestoreContext, RestoreRequest, RestoreResult } from './provider.ts';

/** Share of the percent that reading takes; the model has the rest. */
const READ = 5;

export interface OnnxOptions {
  /** Folder of models and manifests; read once. */
  readonly folder: string;
  /** Whether models may be used whose licence keeps commercial use out. */
  readonly allowRestricted: boolean;
  /** Where results are compared with the photo. Shared with others if given, and then not closed by `close`. Default: its own. */
  readonly pixels?: PixelPool;
  /** Tried in this order, the CPU always last. Default: the CPU. */
  readonly executionProviders?: readonly ExecutionProvider[];
  /** Variables of the environment that a model's process is given. Default: none. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Pixels of the largest result. Default 100 million. */
  readonly maxResultPixels?: number;
  /** What decoding waits for, weighed in bytes. Default: nothing. */
  readonly decoding?: Gate | undefined;
  /** Default: half the machine's memory, 120 s for loading, 60 s for the picture a model is tried with, 180 s for a tile. */
  readonly limits?: Partial<Limits>;
  /** A model is examined again after trouble that may pass, in milliseconds, and later and later if it does not. Default 60,000. */
  readonly retryMs?: number;
  /** A model's process without work is ended after so long, in milliseconds. Default 60,000. */
  readonly idleMs?: number;
  readonly log: Log;
}

/** Half of what this process may have at all: a container's limit, or the machine's memory. */
function halfOfMemory(): number {
  const constrained = process.constrainedMemory();
  const all = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.max(1e9, Math.floor(all / 2));
}

/**
 * The provider of models that somebody else has made: every ONNX file in a folder that has a manifest. They run in a process of
 * their own, with limits on its memory and time, and what they answer passes the gate as every work on a photo does. Whatever is wrong with one makes that one unavailable, and says what to do.
 */
export async function createOnnxProvider(options: OnnxOptions): Promise<Provider> {
  const { folder, allowRestricted, executionProviders = ['cpu'], maxResultPixels = 100e6, decoding, log } = options;
  const limits = { memory: halfOfMemory(), loadMs: 120_000, probeMs: 60_000, tileMs: 180_000, ...options.limits };
  const { idleMs, environment, retryMs = 60_000, pixels = createPixelPool() } = options;
  const runner = createForeignRunner({ executionProviders, environment, limits, idleMs, log });
  const entries = new Map((await readShelf(folder, allowRestricted)).map((entry) => [entry.name, entry]));
  const closing = new AbortController();
  const problemOf = createExaminations({ runner, retryMs, closing: closing.signal, log });

  /** A model that can be used, or why it cannot. */
  async function examined(entry: ShelfEntry, signal: AbortSignal): Promise<UsableEntry | string> {
    if (entry.kind === 'broken') return entry.problem;
    if (entry.problem !== undefined) return entry.problem;
    return (await abortable(problemOf(entry), signal)) ?? entry;
  }

  async function statusOf(entry: ShelfEntry, signal: AbortSignal): Promise<ProviderStatus> {
    const found = await examined(entry, signal);
    return typeof found === 'string' ? { available: false, reason: found } : { available: true };
  }

  function entryOf(model: string): ShelfEntry {
    const entry = entries.get(model);
    if (entry !== undefined) return entry;
    throw new AppError('UNKNOWN_MODEL', `There is no model “${model}” in MODELS_DIR.`, { provider: 'onnx' });
  }

  async function usable(model: string, signal: AbortSignal): Promise<UsableEntry> {
    const found = await examined(entryOf(model), signal);
    if (typeof found === 'string') throw new AppError('MODEL_UNAVAILABLE', found, { provider: 'onnx' });
    return found;
  }

  async function restore(request: RestoreRequest, context: RestoreContext): Promise<RestoreResult> {
    const signal = AbortSignal.any([context.signal, closing.signal]);
    signal.throwIfAborted();
    const entry = await usable(request.model, signal);
    const { strength = 1 } = request.options;
    checkRequest(request, entry, maxResultPixels);
    context.onProgress({ stage: 'PREPARING', percent: 0 });
    const read = (path: string, format: ImageFormat): Promise<Raster> =>
      readPicture(path, format, {
        signal,
        whenRoom: decoding && ((bytes, decode) => decoding.run(bytes, signal, decode)),
      });
    const input = await read(request.input.path, request.input.format as ImageFormat);
    const mask = request.mask && checkedMask(await read(request.mask.path, 'png'), input);
    context.onProgress({ stage: 'PREPARING', percent: READ });
    const parameters = request.parameters as Record<string, number>;
    const work = workOf(entry.manifest, strength, (onTile) =>
      runner.run(entry, { source: input, mask, strength, parameters, signal, onTile }),
    );
    const { raster, report } = await runGated([work], input, {
      signal,
      pixels,
      // A model takes so long that the gate may look closely at how much of its work can stay.
      quality: 'BEST',
      onProgress: ({ stage, percent }) => context.onProgress({ stage, percent: READ + (percent * (100 - READ)) / 100 }),
    });
    context.onProgress({ stage: 'FINISHING', percent: 100 });
    return {
      picture: { kind: 'raster', raster, unchanged: raster === input },
      report,
      providerMetadata: { sha256: entry.manifest.sha256 },
    };
  }

  return {
    id: 'onnx',
    models: () => [...entries.values()].map(describe),
    async status(signal, model) {
      signal.throwIfAborted();
      if (closing.signal.aborted) return { available: false, reason: 'The service is stopping.' };
      return model === undefined ? { available: true } : statusOf(entryOf(model), signal);
    },
    restore,
    async close() {
      closing.abort(new DOMException('The service is stopping.', 'AbortError'));
      await runner.close();
      if (options.pixels === undefined) await pixels.close();
    },
  };
}

function checkRequest({ options, input, mask }: RestoreRequest, { manifest }: UsableEntry, maxPixels: number): void {
  const { strength = 1, upscale = manifest.scale } = options;
  const bad = (field: string, message: string): AppError =>
    new AppError('BAD_USER_INPUT', message, { field: `input.options.${field}`, provider: 'onnx' });
  if (!(strength >= 0 && strength <= 1)) throw bad('strength', 'Strength must be between 0 and 1.');
  if (upscale !== manifest.scale) throw bad('upscale', `“${manifest.title}” enlarges by ×${manifest.scale} only.`);
  if (manifest.task === 'fill' && mask === undefined) {
    throw bad('mask', `“${manifest.title}” fills what a mask covers: send a mask of the damage.`);
  }
  if (input.width * input.height * manifest.scale ** 2 > maxPixels) {
    throw bad(
      'upscale',
      `The result would have more than ${Math.round(maxPixels / 1e6)} megapixels. Take a smaller photo or another model.`,
    );
  }
  if (!Object.hasOwn(FORMATS, input.format)) {
    throw new AppError('UNSUPPORTED_IMAGE', `The onnx provider cannot read “${input.format}”.`);
  }
}

function checkedMask(mask: Raster, source: Raster): Uint8Array {
  if (mask.width === source.width && mask.height === source.height && mask.channels === 1 && mask.depth === 8) {
    return mask.data as Uint8Array;
  }
  throw new AppError('BAD_USER_INPUT', 'The mask must be grey and of the size of the photo.', {
    field: 'input.options.mask',
  });
}
