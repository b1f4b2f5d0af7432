import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createRaster, type Raster } from '../../imaging/raster.ts';
import { createDetector, type Detector } from './faces/detector.ts';
import { disagreement } from './facts.ts';
import { createLoadedModel, lineOf, RunFailure, type Settled } from './model.ts';
import { problemOfModelFile } from './onnx-file.ts';
import { probe } from './probe.ts';
import { PICTURES, type OpenRequest, type Reply, type Request, type RunRequest } from './protocol.ts';
import { Refused } from './refused.ts';
import { openSession, RuntimeMissing, type OpenSession } from './session.ts';
import { RUN_TASK } from './tasks/index.ts';
import { receive, send } from './transfer.ts';
import type { Manifest } from '../manifest.ts';

/**
 * The process in which one model of somebody else's runs. It knows nothing of the service: it is told a file, and then given
 * pictures, one at a time.
 */
/** Levels of a mask from which a pixel counts as damaged; a soft brush goes below. */
const DAMAGED = 128;
const MOST_BYTES = 2 ** 31 - 1;
const pictures = new Socket({ fd: PICTURES, readable: true, writable: true });

function tell(reply: Reply): void {
  process.send?.(reply);
}

async function readModel(path: string): Promise<Buffer> {
  const { size } = await stat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Refused('is missing: put it beside its manifest, or take the manifest out');
  });
  if (size === 0) throw new Refused('is empty: fetch or export it again');
  if (size > MOST_BYTES) throw new Refused('is larger than 2 GB: use a smaller model');
  return readFile(path);
}

type ModelFile = Pick<OpenRequest, 'path' | 'manifest' | 'executionProviders'>;

/** Opens a file and holds it against its manifest. @throws Refused. */
async function openModel({ path, manifest, executionProviders }: ModelFile) {
  const bytes = await readModel(path);
  const problem = problemOfModelFile(bytes);
  if (problem !== undefined) throw new Refused(problem);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (manifest !== undefined && manifest.sha256 !== sha256) {
    throw new Refused(
      'is not the file that its manifest was written for (another SHA-256): fetch it again, or run `models add` anew',
    );
  }
  // From the bytes that were hashed: the file may be another one by now.
  const session = await openSession(bytes, executionProviders).catch((error: unknown) => {
    const why = lineOf(error);
    throw new Refused(
      error instanceof RuntimeMissing
        ? `cannot be run, since onnxruntime does not load here (${why}): run \`npm ci\` again`
        : `cannot be loaded (${why}): export it again`,
    );
  });
  const wrong = manifest === undefined ? undefined : disagreement(session.facts, manifest);
  if (wrong !== undefined) throw new Refused(wrong);
  return { session, sha256, bytes: bytes.length };
}

interface Opened {
  readonly session: OpenSession;
  readonly manifest: Manifest | undefined;
  readonly detector: Detector | undefined;
  /** The manifest, with what only the model's answer to a known picture tells; it is asked once. */
  settled?: Promise<Settled>;
}

async function openDetector({ detector, executionProviders }: OpenRequest) {
  if (detector === undefined) return undefined;
  const { path, manifest } = detector;
  const { session } = await openModel({ path, manifest, executionProviders }).catch((error: unknown) => {
    if (!(error instanceof Refused)) throw error;
    throw new Refused(`cannot be used: its detector ${manifest.file} ${error.message}`);
  });
  return { detector: createDetector(session, manifest), notes: session.notes };
}

async function open(request: OpenRequest): Promise<Opened> {
  const { session, sha256, bytes } = await openModel(request);
  const helper = await openDetector(request);
  const notes = [...session.notes, ...(helper?.notes ?? [])];
  tell({ kind: 'opened', facts: session.facts, sha256, bytes, notes });
  return { session, manifest: request.manifest, detector: helper?.detector };
}

/** What V8 says where there is no memory for a picture, or no array is as long. */
const NO_ROOM = /allocation failed|Invalid (typed )?array length/i;

function failureOf(error: unknown): RunFailure {
  if (error instanceof RunFailure) return error;
  if (error instanceof RangeError && NO_ROOM.test(error.message)) {
    return new RunFailure(
      'INSUFFICIENT_MEMORY',
      'The model wants more memory than it may have here. Choose a smaller `tile.size` in its manifest.',
    );
  }
  if (error instanceof Refused) return new RunFailure('PROVIDER_REJECTED', `The model ${error.message}.`);
  return new RunFailure('PROVIDER_UNAVAILABLE', `The model cannot be used at the moment (${lineOf(error)}).`);
}

const isConstant = ({ data }: Raster): boolean => data.every((sample) => sample === data[0]);

/** @throws RunFailure where the model was opened only to be described. */
function manifestOf({ manifest }: Opened): Manifest {
  if (manifest !== undefined) return manifest;
  throw new RunFailure('PROVIDER_REJECTED', 'The model was opened without a manifest, and cannot be run.');
}

function settle(opened: Opened): Promise<Settled> {
  opened.settled ??= probe(opened.session, manifestOf(opened), opened.detector);
  return opened.settled;
}

const isSettled = (manifest: Manifest): manifest is Settled => manifest.outputRange !== 'detect';

async function run(opened: Opened, request: RunRequest): Promise<void> {
  const source = createRaster(request.shape);
  await receive(pictures, source.data);
  const mask = request.masked ? new Uint8Array(source.width * source.height) : undefined;
  if (mask !== undefined) {
    await receive(pictures, mask);
    for (let i = 0; i < mask.length; i++) mask[i] = mask[i]! >= DAMAGED ? 1 : 0;
  }
  const manifest = manifestOf(opened);
  const work = RUN_TASK[manifest.task];
  if (work === undefined)
    throw new RunFailure('PROVIDER_REJECTED', `No model of the task ${manifest.task} can be run.`);
  const settled = isSettled(manifest) ? manifest : await settle(opened);
  const result = await work(createLoadedModel(opened.session, settled, request, opened.detector), {
    source,
    mask,
    options: request,
    async onTile(done, total) {
      tell({ kind: 'tile', done, total });
      // A model runs on this thread: what was told must be out before it does.
      await turn();
    },
  });
  if (isConstant(result) && !isConstant(source)) {
    throw new RunFailure('NO_PICTURE', 'answered a picture of one single colour');
  }
  const { width, height, channels, depth } = result;
  tell({ kind: 'done', shape: { width, height, channels, depth } });
  await send(pictures, result.data);
}

let ready: Promise<Opened> | undefined;

/** Held, or it would be collected. */
let watch: Worker | undefined;

function fail(error: unknown): void {
  const { code, message: reason } = failureOf(error);
  tell({ kind: 'failed', code, reason });
}

/** Whether a model can be used at all. */
function judged(asked: Promise<unknown>): void {
  asked.catch((error: unknown) => {
    if (error instanceof Refused) tell({ kind: 'refused', reason: error.message });
    else fail(error);
  });
}

function handle(request: Request): void {
  if (request.kind === 'open') {
    if (watch !== undefined) return;
    const { maxMemory } = request;
    watch = new Worker(new URL('./watch.ts', import.meta.url), {
      execArgv: [],
      workerData: { maxMemory, parent: process.ppid },
    });
    ready = open(request);
    judged(ready);
    return;
  }
  if (ready === undefined) {
    fail(new RunFailure('PROVIDER_REJECTED', 'The model was not opened.'));
    return;
  }
  if (request.kind === 'probe') judged(ready.then(settle).then(() => tell({ kind: 'probed' })));
  else ready.then((opened) => run(opened, request)).catch(fail);
}

process.on('message', handle);
process.on('disconnect', () => process.exit());
