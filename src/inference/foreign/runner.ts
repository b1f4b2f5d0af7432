import { AppError } from '../../errors.ts';
import type { Raster } from '../../imaging/raster.ts';
import type { Log } from '../../log.ts';
import type { Manifest } from '../manifest.ts';
import { createModelProcess, ModelRefused, type Limits, type ModelProcess, type PictureJob } from './process.ts';
import type { ExecutionProvider } from './session.ts';
import { createTurns } from './turns.ts';

/** A model of somebody else's: where it lies and what its manifest says. */
export interface ForeignModel {
  readonly path: string;
  readonly manifest: Manifest;
  /** What finds faces for a model that restores them. */
  readonly detector?: Omit<ForeignModel, 'detector'> | undefined;
}

export interface RunnerOptions {
  readonly executionProviders: readonly ExecutionProvider[];
  /** All that a model's process has of it. Default: nothing. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly limits: Limits;
  /** A process without work is ended after so long, in milliseconds. Default 60,000. */
  readonly idleMs?: number | undefined;
  readonly log: Log;
}

/** Why a model cannot be used. */
export interface Problem {
  /** Stands behind the name of its file. */
  readonly reason: string;
  /** It may be otherwise the next time: what is to blame is not the model, or not for certain. */
  readonly isPassing: boolean;
}

/** One model is at work at a time: it uses every core, and as much memory as all of them together may have here. */
export interface ForeignRunner {
  /**
   * Loads the model and has it answer a plain picture, to see whether it can be used. Waits for jobs.
   *
   * @returns undefined where it can. @throws the signal's reason.
   */
  examine(model: ForeignModel, signal: AbortSignal): Promise<Problem | undefined>;
  /**
   * One picture. The process stays for the next job of the same model.
   *
   * @throws AppError MODEL_UNAVAILABLE; what `ModelProcess.run` throws; the signal's reason.
   */
  run(model: ForeignModel, job: PictureJob): Promise<Raster>;
  /** Ends every process; calls under way reject. */
  close(): Promise<void>;
}

export function createForeignRunner({
  executionProviders,
  environment,
  limits,
  idleMs = 60_000,
  log,
}: RunnerOptions): ForeignRunner {
  const turns = createTurns();
  const closing = new AbortController();
  const processes = new Set<ModelProcess>();
  let current: { readonly model: ForeignModel; readonly process: ModelProcess } | undefined;
  let resting: NodeJS.Timeout | undefined;
  /** Running or waiting. */
  let jobCount = 0;

  async function open(
    { path, manifest, detector }: ForeignModel,
    signal: AbortSignal,
    { isProbed = false } = {},
  ): Promise<ModelProcess> {
    const process = createModelProcess({
      path,
      manifest,
      detector: detector && { path: detector.path, manifest: detector.manifest },
      executionProviders,
      environment,
      limits,
    });
    processes.add(process);
    try {
      const { notes } = await process.open(signal);
      for (const note of notes) log.warn({ model: manifest.name }, note);
      if (isProbed) await process.probe(signal);
      return process;
    } catch (error) {
      // It is being ended already.
      void end(process);
      throw error;
    }
  }

  async function end(process: ModelProcess): Promise<void> {
    await process.kill();
    processes.delete(process);
  }

  /** Before a process is started the one before it ends: two would take the memory twice. */
  async function clear(): Promise<void> {
    const before = current;
    current = undefined;
    if (before !== undefined) await end(before.process);
  }

  async function processFor(model: ForeignModel, signal: AbortSignal): Promise<ModelProcess> {
    if (current?.model === model && current.process.alive) return current.process;
    await clear();
    try {
      const process = await open(model, signal);
      current = { model, process };
      return process;
    } catch (error) {
      if (!(error instanceof ModelRefused)) throw error;
      throw new AppError('MODEL_UNAVAILABLE', `${model.manifest.file} ${error.message}.`, {
        provider: 'onnx',
        cause: error,
      });
    }
  }

  function rest(): void {
    clearTimeout(resting);
    resting = setTimeout(() => {
      if (jobCount > 0 || current === undefined) return;
      void end(current.process);
      current = undefined;
    }, idleMs).unref();
  }

  return {
    async examine(model, signal) {
      const both = AbortSignal.any([signal, closing.signal]);
      return turns.run('examination', both, async () => {
        try {
          await clear();
          // Whoever asks about a model is likely to use it.
          current = { model, process: await open(model, both, { isProbed: true }) };
          rest();
          return undefined;
        } catch (error) {
          both.throwIfAborted();
          if (error instanceof ModelRefused) return { reason: error.message, isPassing: false };
          if (!(error instanceof AppError))
            log.error({ err: error, model: model.manifest.name }, 'an examination failed');
          const why = error instanceof AppError ? error.message : "The model's process could not be started.";
          return { reason: `cannot be used: ${why.replace(/\.$/, '')}`, isPassing: true };
        }
      });
    },

    async run(model, job) {
      const signal = AbortSignal.any([job.signal, closing.signal]);
      jobCount++;
      try {
        return await turns.run('job', signal, async () => {
          const process = await processFor(model, signal);
          return process.run({ ...job, signal });
        });
      } finally {
        jobCount--;
        if (current !== undefined && !current.process.alive) void end(current.process);
        rest();
      }
    },

    async close() {
      closing.abort(new DOMException('The service is stopping.', 'AbortError'));
      clearTimeout(resting);
      await Promise.all([...processes].map(end));
    },
  };
}
