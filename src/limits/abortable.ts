/**
 * Waits no longer than the signal says; the work goes on for those who ask later.
 *
 * @throws the reason of `signal`; what the work throws.
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    // Also where nobody waits: a failure of the work must have been seen by somebody.
    return await Promise.race([promise, work]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
