/**
 * Moments between file, row and job at which a test ends the process or lets something fail. Where each one sits is said
 * in `faults.ts`.
 */
export const FAILPOINTS = [
  /** An upload lies in the temporary folder, durable. */
  'upload-spooled',
  /** An original lies in the storage, its row is not written. */
  'original-stored',
  /** The rows of what came in are written, the queue does not know. */
  'submission-committed',
  /** A restoration's job is claimed, its row still says QUEUED. */
  'job-claimed',
  /** The provider has answered, nothing is stored. */
  'result-made',
  /** The file of a result is stored, no row names it. */
  'result-stored',
  /** The same of a rendition of a result. */
  'result-rendition-stored',
  /** A restoration's success is written, nobody has been told. */
  'success-committed',
  /** A restoration's run has ended, its job is still there. */
  'run-ended',
  /** A rendition of a photo is stored, no row names it. */
  'rendition-stored',
  /** The rows of what was deleted are gone, no file is. */
  'rows-erased',
  /** One of its files is gone. */
  'file-erased',
  /** The restoration of a dead process is released, its job is still the dead one's. */
  'job-reclaimed',
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

const ACTIONS = ['kill', 'stop', 'throw'] as const;
type Action = (typeof ACTIONS)[number];

/** What happens at a failpoint. */
export interface Fault {
  readonly point: Failpoint;
  /** SIGKILL, SIGSTOP (until SIGCONT), or an error as from a disk (EIO). */
  readonly action: Action;
  /** At which time that the point is reached, from 1; only then. */
  readonly time: number;
}

/** `NAME:ACTION`, with a number at the end for another time than the first. */
export const FAULT = new RegExp(`^(${FAILPOINTS.join('|')}):(${ACTIONS.join('|')})(?::([1-9]\\d{0,5}))?$`);

/** @param text that fits {@link FAULT}. */
export function readFault(text: string): Fault {
  const [, point, action, time = '1'] = FAULT.exec(text) ?? [];
  return { point: point as Failpoint, action: action as Action, time: Number(time) };
}
