import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/**
 * Sends the body of a streaming answer (server-sent events) at the pace of its reader. Ends when the body does, when
 * `signal` aborts, or when the reader takes nothing for `stalledMs`; then the body is cancelled.
 */
export async function pipeEvents(
  body: ReadableStream<Uint8Array>,
  res: ServerResponse,
  options: { signal: AbortSignal; stalledMs: number },
): Promise<void> {
  const { signal, stalledMs } = options;
  const reader = body.getReader();
  let giveUp = (): void => {};
  const stop = (): void => giveUp();
  signal.addEventListener('abort', stop, { once: true });
  // Not `Promise.race` with one promise for the abort: that would hold every part until the stream ends.
  const next = () =>
    new Promise<Awaited<ReturnType<typeof reader.read>> | undefined>((resolve, reject) => {
      giveUp = () => resolve(undefined);
      if (signal.aborted) giveUp();
      reader.read().then(resolve, reject);
    });
  res.flushHeaders();
  try {
    for (;;) {
      const part = await next();
      if (part === undefined || part.done) break;
      if (!res.write(part.value)) {
        await once(res, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(stalledMs)]) });
      }
    }
    res.end();
  } catch {
    res.destroy();
  } finally {
    signal.removeEventListener('abort', stop);
    await reader.cancel().catch(() => {});
  }
}
