import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type * as OnnxRuntime from 'onnxruntime-node';
import type { InferenceSession } from 'onnxruntime-node';
import type { OwnNet } from './own-net.ts';
import type { NetFigures, ThreadOptions } from './protocol.ts';

type Runtime = typeof OnnxRuntime;

/** A net that cannot be used; the message is a part of a sentence. */
export class RefusedNet extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RefusedNet';
  }
}

/** A net in memory, ready to run. */
export interface NetSession {
  /**
   * @param input and @param output planes of floats, one behind the other; sides are those of the input.
   * @param last whether to give back the memory that it took.
   */
  run(input: Float32Array, output: Float32Array, width: number, height: number, last: boolean): Promise<void>;
  /** Finds out what it costs on this machine. */
  measure(): Promise<NetFigures>;
}

/** A side that shows whether a net does what its manifest says, and one that shows what it costs; pixels. */
const PROBE = 64;
const MEASURE = 256;
/** Never believed to take less per pixel of a window, nor more: memory of the whole process is all that can be read. */
const LEAST_BYTES_PER_PIXEL = 300;
const MOST_BYTES_PER_PIXEL = 3000;

/** What is wrong is thrown, too. */
const SILENT = 4;
/** Gives back what the arena does not need: each net has one of its own, and a photo may need several nets. */
const SHRINK = { extra: { memory: { enable_memory_arena_shrinkage: 'cpu:0' } } };

/** Of an error, in a sentence that the owner of a photo may read: where things lie on this machine is not in it. */
const messageOf = (error: unknown): string =>
  (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)).replaceAll(/(?:\/[^\s/'"]+)+\//g, '');

/** @throws RefusedNet where the module is missing or does not load. */
async function loadRuntime(runtime: string): Promise<Runtime> {
  try {
    return (await import(runtime)) as Runtime;
  } catch (error) {
    throw new RefusedNet(`the module ${runtime} does not load here (${messageOf(error)})`, error);
  }
}

/** Nothing is parsed that has not the hash of its manifest. */
async function readModel({ path, bytes, sha256 }: OwnNet): Promise<Uint8Array> {
  const file = basename(path);
  let model: Uint8Array;
  try {
    model = await readFile(path);
  } catch (error) {
    throw new RefusedNet(`its file ${file} cannot be read (${messageOf(error)})`, error);
  }
  if (model.length !== bytes) {
    throw new RefusedNet(`its file ${file} has ${model.length} bytes, its manifest says ${bytes}`);
  }
  if (createHash('sha256').update(model).digest('hex') !== sha256) {
    throw new RefusedNet(`its file ${file} has not the SHA-256 of its manifest`);
  }
  return model;
}

function checkPort(
  what: string,
  name: string,
  channels: number,
  names: readonly string[],
  metadata: readonly InferenceSession.ValueMetadata[],
): void {
  const port = metadata.find((one) => one.name === name);
  if (port === undefined) throw new RefusedNet(`its file has no ${what} “${name}” but ${names.join(', ') || 'none'}`);
  const fits =
    port.isTensor &&
    port.type === 'float32' &&
    port.shape.length === 4 &&
    [1, channels].every((size, i) => port.shape[i] === size || typeof port.shape[i] === 'string') &&
    port.shape.slice(2).every((size) => typeof size === 'string');
  if (!fits) {
    const shape = port.isTensor ? `${port.type} [${port.shape.join(', ')}]` : 'no tensor';
    throw new RefusedNet(
      `the ${what} “${name}” must be float32 [1, ${channels}, height, width], any height and width; it is ${shape}`,
    );
  }
}

/**
 * Loads a net, holds it against its manifest and tries it.
 *
 * Memory comes from onnxruntime's arena, which keeps what it has: without it a net is up to 1.5 times slower and takes more
 * memory, since glibc gives back none of it either. What gives it back is the end of the thread.
 *
 * @throws RefusedNet for whatever is wrong with it.
 */
export async function openSession(net: OwnNet, { runtime, threads }: ThreadOptions): Promise<NetSession> {
  const ort = await loadRuntime(runtime);
  const model = await readModel(net);
  let session: InferenceSession;
  try {
    session = await ort.InferenceSession.create(model, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      enableCpuMemArena: true,
      // It keeps a plan for every size of window and gains nothing.
      enableMemPattern: false,
      logSeverityLevel: SILENT,
    });
  } catch (error) {
    throw new RefusedNet(`its file is no model that onnxruntime takes (${messageOf(error)})`, error);
  }
  const channels = 3 + net.controls.length;
  const { inputNames, inputMetadata, outputNames, outputMetadata } = session;
  checkPort('input', net.input, channels, inputNames, inputMetadata);
  checkPort('output', net.output, net.planes, outputNames, outputMetadata);
  if (inputNames.length > 1) throw new RefusedNet(`its file wants more inputs than one: ${inputNames.join(', ')}`);

  const tensor = (data: Float32Array, planes: number, width: number, height: number) =>
    new ort.Tensor('float32', data, [1, planes, height, width]);

  const run: NetSession['run'] = async (input, output, width, height, last) => {
    const { scale, planes } = net;
    await session.run(
      { [net.input]: tensor(input, channels, width, height) },
      // Written in place: a tensor for each tile would pile up until the next collection of garbage.
      { [net.output]: tensor(output, planes, width * scale, height * scale) },
      { logSeverityLevel: SILENT, ...(last && SHRINK) },
    );
  };

  /** @returns milliseconds that it took. */
  async function attempt(side: number): Promise<number> {
    const output = new Float32Array(net.planes * (side * net.scale) ** 2).fill(Number.NaN);
    const input = new Float32Array(channels * side ** 2).fill(0.5);
    const start = performance.now();
    await run(input, output, side, side, false);
    const ms = performance.now() - start;
    if (!output.every(Number.isFinite)) throw new Error('it answers with what is no number');
    return ms;
  }

  const { multiple, size } = net.tile;
  const aligned = (side: number): number => Math.max(1, Math.floor(Math.min(side, size) / multiple)) * multiple;
  async function measure(): Promise<NetFigures> {
    const side = aligned(MEASURE);
    const before = process.memoryUsage.rss();
    const first = await attempt(side);
    const grown = process.memoryUsage.rss() - before;
    // The first run takes memory from the system, which is slow; the faster one tells more.
    const ms = Math.min(first, await attempt(side));
    const bytesPerPixel = Math.min(MOST_BYTES_PER_PIXEL, Math.max(LEAST_BYTES_PER_PIXEL, grown / side ** 2));
    return { msPerMegapixel: (ms * 1e6) / side ** 2, bytesPerPixel };
  }

  try {
    await attempt(aligned(PROBE));
    return { run, measure };
  } catch (error) {
    await session.release();
    throw new RefusedNet(`it does not run (${messageOf(error)})`, error);
  }
}
