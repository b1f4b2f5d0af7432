import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../errors.ts';
import { NoPicture } from '../../imaging/no-picture.ts';
import { createRaster, type Raster } from '../../imaging/raster.ts';
import type { Manifest } from '../manifest.ts';
import type { Facts } from './facts.ts';
import { probeSide } from './plan.ts';
import { OVER_MEMORY, PICTURES, type OpenRequest, type Reply, type Request, type RunOptions } from './protocol.ts';
import type { ExecutionProvider } from './session.ts';
import { receive, send } from './transfer.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** Where util-linux puts it; it holds the memory down from outside, before it is taken. */
const PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit'].find((path) => existsSync(path));
/** Pixels a side for which `probeMs` is meant. */
const PROBE_SIDE = 512;
/** Of what a process says on standard error the end is kept for the log. */
const KEPT = 2000;
const MEMORY_TROUBLE = new RegExp(`${OVER_MEMORY}|out of memory|bad_alloc|Cannot allocate`, 'i');

export interface Limits {
  /** Bytes that a process may take. */
  readonly memory: number;
  /** Milliseconds for loading a model. */
  readonly loadMs: number;
  /** Milliseconds for the picture that a model is tried with, of up to 512 × 512 pixels; more for a larger one, as long as for a tile. */
  readonly probeMs: number;
  /** Milliseconds for one tile. */
  readonly tileMs: number;
}

export interface OpenOptions {
  readonly path: string;
  readonly manifest?: Manifest | undefined;
  /** What finds faces for it. */
  readonly detector?: OpenRequest['detector'];
  readonly executionProviders: readonly ExecutionProvider[];
  /** All that the process has of it. Default: nothing. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly limits: Limits;
}

export interface Opened {
  readonly facts: Facts;
  readonly sha256: string;
  readonly bytes: number;
  readonly notes: readonly string[];
}

/** A model that cannot be used: its sentence stands behind the name of the file. */
export class ModelRefused extends Error {}

/** The photo does not show what the model is for, and stays as it is; the message is a whole sentence. */
export class NothingToDo extends Error {}

export interface PictureJob extends RunOptions {
  readonly source: Raster;
  /** One byte a pixel, from 128 on = damaged. */
  readonly mask?: Uint8Array | undefined;
  readonly signal: AbortSignal;
  readonly onTile: (done: number, total: number) => void;
}

/** A process with one model in it. */
export interface ModelProcess {
  /** @throws ModelRefused; AppError PROVIDER_TIMEOUT, INSUFFICIENT_MEMORY, PROVIDER_UNAVAILABLE; the signal's reason. */
  open(signal: AbortSignal): Promise<Opened>;
  /** Has an open model answer a plain picture. @throws as `open`. */
  probe(signal: AbortSignal): Promise<void>;
  /**
   * One picture; not while another is under way. Whatever it throws but NoPicture, NothingToDo, PROVIDER_REJECTED and BAD_USER_INPUT,
   * the process is gone after it.
   *
   * @throws NoPicture; NothingToDo; AppError with one of FailureCode or PROVIDER_TIMEOUT; the signal's reason.
   */
  run(job: PictureJob): Promise<Raster>;
  readonly alive: boolean;
  /** Ends it at once; resolves when it has ended. */
  kill(): Promise<void>;
}

function start(memory: number, folder: string, env: Readonly<Record<string, string>>): ChildProcess {
  const command = [process.execPath, '--no-warnings', CHILD];
  const limited = PRLIMIT === undefined ? command : [PRLIMIT, `--data=${memory}`, '--core=0', '--', ...command];
  const [file = '', ...args] = limited;
  // Not the service's environment: no secret in it is any business of a model's.
  return spawn(file, args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'ipc'] });
}

function failureFrom({ code, reason }: Extract<Reply, { kind: 'failed' }>): Error {
  if (code === 'NO_PICTURE') return new NoPicture(reason);
  if (code === 'NOTHING_TO_DO') return new NothingToDo(reason);
  return new AppError(code, reason, { provider: 'onnx' });
}

/** For how long an answer is waited for, and what is told where it does not come. */
interface Wait {
  readonly ms: number;
  /** After “for”, without a full stop. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** Starts a process for a model; `open` loads it. */
export function createModelProcess(options: OpenOptions): ModelProcess {
  const { path, manifest, detector, executionProviders, environment = {}, limits } = options;
  const child = start(limits.memory, dirname(path), environment);
  const ended = Promise.withResolvers<void>();
  let alive = true;
  let said = '';
  /** Of the conversation under way. */
  let listener: ((reply: Reply) => void) | undefined;
  let onLoss: (() => void) | undefined;

  child.on('error', (error) => {
    said = `${said}\n${error.message}`;
    buried();
  });
  child.on('close', buried);
  // Where the system has no descriptors left, a process has no pipes, and says so only later.
  const pictures = (child.stdio as typeof child.stdio | undefined)?.[PICTURES] as Duplex | undefined;
  if (pictures === undefined) {
    throw new AppError('PROVIDER_UNAVAILABLE', "The model's process could not be started: too many files are open.", {
      provider: 'onnx',
    });
  }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-KEPT);
  });
  pictures.on('error', () => {});
  child.on('message', (reply: Reply) => listener?.(reply));
  function buried(): void {
    alive = false;
    ended.resolve();
    onLoss?.();
  }

  /** Why it ended by itself. */
  function lost(): AppError {
    const cause = new Error(`exit ${child.exitCode ?? child.signalCode}: ${said.trim()}`);
    return MEMORY_TROUBLE.test(said)
      ? new AppError(
          'INSUFFICIENT_MEMORY',
          'The model took more memory than it may have here. Choose a smaller `tile.size` in its manifest, or a smaller model.',
          { provider: 'onnx', cause },
        )
      : new AppError('PROVIDER_UNAVAILABLE', "The model's process ended in the middle of its work.", {
          provider: 'onnx',
          cause,
        });
  }

  async function kill(): Promise<void> {
    if (alive) child.kill('SIGKILL');
    alive = false;
    await ended.promise;
  }

  /**
   * Sends a request and hears replies until `take` answers something. Silence for longer than `ms`, an abort or the end of the process
   * end it, and the process with it.
   */
  async function converse<T>(
    request: Request,
    { ms, what, signal }: Wait,
    take: (reply: Reply) => T | undefined,
  ): Promise<T> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // It may be rejected before anybody waits for it.
    promise.catch(() => {});
    const late = (): void =>
      reject(
        new AppError('PROVIDER_TIMEOUT', `The model took longer than ${Math.round(ms / 1000)} seconds for ${what}.`, {
          provider: 'onnx',
        }),
      );
    let timer = setTimeout(late, ms);
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    listener = (reply) => {
      clearTimeout(timer);
      timer = setTimeout(late, ms);
      try {
        const answer = take(reply);
        if (answer !== undefined) resolve(answer);
      } catch (error) {
        reject(error as Error);
      }
    };
    onLoss = () => reject(lost());
    try {
      if (!alive) throw lost();
      child.send(request, () => {});
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      listener = onLoss = undefined;
    }
  }

  /** Whether the model can be used; where it cannot, the process ends. */
  async function judge<T>(request: Request, waiting: Wait, take: (reply: Reply) => T | undefined): Promise<T> {
    try {
      return await converse(request, waiting, (reply) => {
        if (reply.kind === 'refused') throw new ModelRefused(reply.reason);
        if (reply.kind === 'failed') throw failureFrom(reply);
        return take(reply);
      });
    } catch (error) {
      const gone = kill();
      if (!waiting.signal.aborted) await gone;
      throw error;
    }
  }

  return {
    get alive() {
      return alive;
    },
    kill,

    open(signal) {
      const request = { kind: 'open', path, manifest, detector, executionProviders, maxMemory: limits.memory } as const;
      return judge(request, { ms: limits.loadMs, what: 'loading', signal }, (reply) =>
        reply.kind === 'opened' ? reply : undefined,
      );
    },

    async probe(signal) {
      const side = manifest === undefined ? 0 : probeSide(manifest);
      const ms = Math.min(limits.tileMs, limits.probeMs * Math.max(1, (side / PROBE_SIDE) ** 2));
      const what = `a picture of ${side} × ${side} pixels: use a smaller model, unless the machine was busy`;
      await judge({ kind: 'probe' }, { ms, what, signal }, (reply) => (reply.kind === 'probed' ? true : undefined));
    },

    async run({ source, mask, strength, parameters, signal, onTile }) {
      const { data, ...shape } = source;
      const request = { kind: 'run', shape, masked: mask !== undefined, strength, parameters } as const;
      try {
        const conversation = converse(request, { ms: limits.tileMs, what: 'one tile', signal }, (reply) => {
          if (reply.kind === 'tile') onTile(reply.done, reply.total);
          if (reply.kind === 'failed') throw failureFrom(reply);
          return reply.kind === 'done' ? reply : undefined;
        });
        const sending = send(pictures, data, signal).then(() => mask && send(pictures, mask, signal));
        // A process that is gone fails both; how it ended says more than a broken pipe.
        sending.catch(() => {});
        const done = await conversation;
        await sending;
        const scale = manifest?.scale ?? 1;
        const { width, height, depth } = done.shape;
        if (width !== shape.width * scale || height !== shape.height * scale || depth !== shape.depth) {
          throw new AppError('PROVIDER_UNAVAILABLE', "The model's process answered a picture of another size.", {
            provider: 'onnx',
          });
        }
        const result = createRaster(done.shape);
        await receive(pictures, result.data, signal);
        return result;
      } catch (error) {
        if (error instanceof NoPicture || error instanceof NothingToDo) throw error;
        const stays =
          error instanceof AppError && (error.code === 'PROVIDER_REJECTED' || error.code === 'BAD_USER_INPUT');
        if (stays) throw error;
        const gone = kill();
        // Whoever cancels does not wait for the system to bury it.
        if (signal.aborted) throw error;
        await gone;
        throw error instanceof AppError || signal.aborted ? error : lost();
      }
    },
  };
}
