import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Makes V8 look, soon, for what nobody holds any more. It would not do so for rasters, since it does not count shared memory, nor
 * in an idle process: they would stay, hundreds of MB. Takes some tens of ms of the main thread, so call it seldom.
 */
export function collectGarbage(): void {
  // The flag is the only way to it, and is not ours to set when the process starts.
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as NodeJS.GCFunction;
  void gc({ type: 'major', execution: 'async' });
}
