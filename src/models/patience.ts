import { abortable } from '../limits/abortable.ts';

/**
 * The answer of `ask`, or `late` where it takes longer than `ms` milliseconds; what was begun goes on for those who ask later.
 *
 * @throws the reason of `signal`; what `ask` throws before it is late.
 */
export async function soon<T>(
  ms: number,
  ask: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
  late: T,
): Promise<T> {
  const bound = AbortSignal.timeout(ms);
  const either = AbortSignal.any([signal, bound]);
  try {
    return await abortable(ask(either), either);
  } catch (error) {
    signal.throwIfAborted();
    if (bound.aborted) return late;
    throw error;
  }
}
