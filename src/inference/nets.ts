import { availableParallelism } from 'node:os';
import type { NetTask, Nets, PictureNet, Quality } from '../imaging/nets.ts';
import { abortable } from '../limits/abortable.ts';
import type { Log } from '../log.ts';
import { sayMissing, saySwitchedOff } from './missing.ts';
import type { OwnNet } from './own-net.ts';
import { createPictureNet } from './picture-net.ts';
import type { NetFigures } from './protocol.ts';
import { MODELS_FOLDER, problemOf, readShelf, type NetProblem, type Shelf } from './shelf.ts';
import { createInferenceThread } from './thread-handle.ts';

/** What a net was found to be when it was loaded. */
export interface NetFinding {
  readonly name: string;
  readonly bytes: number;
  /** On this machine, as it was then. */
  readonly msPerMegapixel: number;
}

/** The nets that ship with Heirloom, with what only their owner asks of them. */
export interface OwnNets extends Nets {
  ready(tasks: readonly NetTask[], quality: Quality): Promise<void>;
  missing(tasks: readonly NetTask[], signal: AbortSignal): Promise<string | undefined>;
  /** Loads every net, tries it and answers with those that work; never rejects. */
  tryAll(): Promise<readonly NetFinding[]>;
  /** A sentence for each net that cannot be used, as far as is known. */
  problems(): readonly NetProblem[];
  /** Waits for the tile under way; runs under way reject. */
  close(): Promise<void>;
}

export interface OwnNetsOptions {
  readonly log?: Log;
  /** Folder with the nets and their manifests. Default: `models/` of this package. */
  readonly folder?: string;
  /** False: as if there were none. Default true. */
  readonly use?: boolean;
  /** Load them now, and again whenever their memory was given back after a photo. Default: when a photo needs them. */
  readonly warmUp?: boolean;
  /** The module that runs nets. Default `onnxruntime-node`. */
  readonly runtime?: string;
  /** Cores that nets use. Default: all. */
  readonly threads?: number;
  /** Idle for so many milliseconds, all memory of the nets is given back. Default 10,000. */
  readonly idleMs?: number;
  /** What the inference thread runs. */
  readonly script?: URL;
  /** Bytes that a net may work in beside the picture. Default 256 MB. */
  readonly memory?: number;
  /** How long one tile may take, in milliseconds: a cancelled restoration waits for the one under way. Default 200. */
  readonly windowMs?: number;
}

const NOTHING: Shelf = { nets: [], problems: [] };

/** Of the nets of a task, the cheapest first, the one for a quality. */
const PICK: Readonly<Record<Quality, (count: number) => number>> = {
  FAST: () => 0,
  BALANCED: (count) => count >> 1,
  BEST: (count) => count - 1,
};

/** Reads the manifests; never fails: a net that cannot be used is not there. */
export async function openNets({
  log,
  folder = MODELS_FOLDER,
  use = true,
  warmUp = false,
  runtime = 'onnxruntime-node',
  threads = availableParallelism(),
  idleMs = 10_000,
  script,
  memory = 256e6,
  windowMs = 200,
}: OwnNetsOptions = {}): Promise<OwnNets> {
  const shelf = use ? await readShelf(folder) : NOTHING;
  const problems = new Map(shelf.problems.map((problem) => [problem.name, problem]));
  const figures = new Map<string, NetFigures>();
  for (const { reason } of problems.values()) log?.warn({ reason }, 'a net is left out');

  const thread = createInferenceThread({
    runtime,
    threads,
    idleMs,
    ...(script !== undefined && { script }),
    ...(warmUp && { reload: () => void tryAll() }),
  });

  function refuse(net: OwnNet, why: string): string {
    const problem = problemOf(net, why);
    const { name, reason } = problem;
    if (problems.get(name)?.reason !== reason) log?.warn({ reason }, 'a net is left out');
    problems.set(name, problem);
    return reason;
  }

  const nets = shelf.nets
    .toSorted((a, b) => a.cost - b.cost)
    .map((net) => ({
      net,
      picture: createPictureNet({ net, thread, memory, windowMs, figures, refuse: (why) => refuse(net, why) }),
    }));

  /** By name; a net that has been tried once is not tried again unless somebody asks for all. */
  const tried = new Map<string, Promise<NetFinding | undefined>>();

  async function load(net: OwnNet): Promise<NetFinding | undefined> {
    const answer = await thread.load(net);
    if ('refused' in answer) {
      refuse(net, answer.refused);
      return undefined;
    }
    problems.delete(net.name);
    figures.set(net.name, answer.figures);
    return { name: net.name, bytes: net.bytes, msPerMegapixel: answer.figures.msPerMegapixel };
  }

  function tryNow(net: OwnNet): Promise<NetFinding | undefined> {
    const trying = load(net);
    tried.set(net.name, trying);
    return trying;
  }

  async function tryAll(): Promise<readonly NetFinding[]> {
    const found = await Promise.all(shelf.nets.map(tryNow));
    return found.filter((finding) => finding !== undefined);
  }

  const tryOnce = (net: OwnNet): Promise<unknown> => tried.get(net.name) ?? tryNow(net);

  if (warmUp && use) void tryAll();

  const usable = (task: NetTask) => nets.filter(({ net }) => net.task === task && !problems.has(net.name));

  function pick(task: NetTask, quality: Quality) {
    const fit = usable(task);
    return fit[PICK[quality](fit.length)];
  }

  /** One that is refused makes room for another one of its task. */
  async function readyFor(task: NetTask, quality: Quality): Promise<void> {
    for (let picked = pick(task, quality); picked !== undefined;) {
      await tryOnce(picked.net);
      const next = pick(task, quality);
      if (next === picked) return;
      picked = next;
    }
  }

  return {
    find: (task: NetTask, quality: Quality): PictureNet | undefined => pick(task, quality)?.picture,
    async ready(tasks, quality) {
      await Promise.all(tasks.map((task) => readyFor(task, quality)));
    },
    async missing(tasks, signal) {
      const concerned = shelf.nets.filter(({ task }) => tasks.includes(task));
      await abortable(Promise.all(concerned.map(tryOnce)), signal);
      if (!use) return saySwitchedOff(tasks);
      return sayMissing(tasks, [...problems.values()], (task) => usable(task).length > 0);
    },
    tryAll,
    problems: () => [...problems.values()],
    close: () => thread.close(),
  };
}
