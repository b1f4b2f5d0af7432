import { parentPort, workerData } from 'node:worker_threads';
import { collectGarbage } from '../imaging/collect.ts';
import { NoPicture } from '../imaging/no-picture.ts';
import type { OwnNet } from './own-net.ts';
import type { FromThread, ThreadOptions, ToThread } from './protocol.ts';
import { openSession, RefusedNet, type NetSession } from './session.ts';
import { beginWork, type Work } from './work.ts';

/*
 * The thread in which nets run: `session.run` of onnxruntime-node works on the thread that calls it and blocks it
 * (https://github.com/microsoft/onnxruntime/issues/26968). Jobs take turns, tile by tile. It looks for messages between two
 * tiles; that a job is to stop it sees in shared memory.
 */

const options = workerData as ThreadOptions;
const sessions = new Map<string, Promise<NetSession>>();
const waiting: Work[] = [];
let busy = false;

function tell(message: FromThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  parentPort?.postMessage(message);
}

/** One that was refused is tried again when it is asked for again: its file may have been put right. */
function sessionOf(net: OwnNet): Promise<NetSession> {
  let session = sessions.get(net.sha256);
  if (session === undefined) {
    session = openSession(net, options);
    sessions.set(net.sha256, session);
    session.catch(() => sessions.delete(net.sha256));
  }
  return session;
}

async function load(net: OwnNet): Promise<void> {
  try {
    tell({ loaded: net.name, figures: await (await sessionOf(net)).measure() });
  } catch (error) {
    tell({ loaded: net.name, refused: (error as Error).message });
  }
}

const endOf = (error: unknown): 'refused' | 'useless' | 'failed' =>
  error instanceof RefusedNet ? 'refused' : error instanceof NoPicture ? 'useless' : 'failed';

/** One tile. @returns whether there is more to do. */
async function advance(work: Work): Promise<boolean> {
  const { id, net, plan, stop } = work.job;
  if (Atomics.load(stop, 0) !== 0) {
    tell({ job: id, end: 'stopped' });
    return false;
  }
  try {
    const ms = await work.step(await sessionOf(net));
    tell({ job: id, done: work.done, ms });
    if (work.done < plan.count) return true;
    tell({ job: id, end: 'finished' });
  } catch (error) {
    tell({ job: id, end: endOf(error), reason: (error as Error).message });
  }
  return false;
}

async function workAll(): Promise<void> {
  if (busy) return;
  busy = true;
  for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) {
    if (await advance(work)) waiting.push(work);
  }
  busy = false;
  // An idle thread collects no garbage, and would hold on to the rasters it has last seen.
  collectGarbage();
}

parentPort?.on('message', (message: ToThread) => {
  if ('load' in message) {
    void load(message.load);
    return;
  }
  waiting.push(beginWork(message.job));
  void workAll();
});
