import { stat } from 'node:fs/promises';
import type { ForeignRunner, Problem } from '../../inference/foreign/runner.ts';
import type { Log } from '../../log.ts';
import type { ShelfEntry } from './shelf.ts';

export type UsableEntry = Extract<ShelfEntry, { kind: 'model' }>;

/** After each trouble that may pass the wait doubles, up to so many times the first one: an endless model blocks the others while it is tried. */
const LONGEST = 64;

interface Known {
  /** Which file was looked at. */
  readonly file: string;
  /** Why it cannot be used. */
  readonly answer: Promise<string | undefined>;
  /** Troubles in a row that may pass. */
  troubles: number;
  /** It is looked at again from then on; of `performance.now()`. */
  until: number;
}

export interface ExaminationOptions {
  readonly runner: ForeignRunner;
  /** Milliseconds until a model is looked at again after a trouble that may pass. */
  readonly retryMs: number;
  /** Ends what is under way. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

/** Tells one version of a file from another without reading it. */
async function versionOf(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path).catch(() => ({ ino: 0, size: 0, mtimeMs: 0 }));
  return `${ino} ${size} ${mtimeMs}`;
}

/**
 * Each model is examined once, when somebody asks about it; whoever asks meanwhile waits. What is found stays true for as long as the
 * files are the same, but for trouble that may pass: then the next question after a while has it examined again.
 *
 * @returns a function that tells why a model cannot be used, in a sentence.
 */
export function createExaminations({ runner, retryMs, closing, log }: ExaminationOptions) {
  const known = new Map<string, Known>();

  function sentence({ file }: UsableEntry['manifest'], { reason, isPassing }: Problem): string {
    return `${file} ${reason}.${isPassing ? ' It is tried again after a while.' : ''}`;
  }

  function begin(entry: UsableEntry, file: string, troubles: number): Known {
    const examined = runner.examine(entry, closing).then((problem) => {
      if (problem === undefined) return undefined;
      if (problem.isPassing) {
        one.until = performance.now() + retryMs * Math.min(2 ** one.troubles, LONGEST);
        one.troubles++;
      }
      const reason = sentence(entry.manifest, problem);
      log.warn({ model: entry.name, reason }, 'a model cannot be used');
      return reason;
    });
    const one: Known = { file, answer: examined, troubles, until: Infinity };
    // Closed in the middle: nobody asks any more, and nobody has to hear of it.
    examined.catch(() => known.delete(entry.name));
    return one;
  }

  return async (entry: UsableEntry): Promise<string | undefined> => {
    const paths = [entry.path, ...(entry.detector === undefined ? [] : [entry.detector.path])];
    const file = (await Promise.all(paths.map(versionOf))).join();
    const before = known.get(entry.name);
    const isSame = before?.file === file;
    if (isSame && performance.now() < before.until) return before.answer;
    const now = begin(entry, file, isSame ? before.troubles : 0);
    known.set(entry.name, now);
    return now.answer;
  };
}
