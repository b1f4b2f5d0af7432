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
  const over = new Promise<'over'>((resolve) => {
    signal.addEventListener('abort', () => resolve('over'), { once: true });
    if (signal.aborted) resolve('over');
  });
  res.flushHeaders();
  try {
    for (;;) {
      const part = await Promise.race([reader.read(), over]);
      if (part === 'over' || part.done) break;
      if (!res.write(part.value)) {
        await once(res, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(stalledMs)]) });
      }
    }
    res.end();
  } catch {
    res.destroy();
  } finally {
    await reader.cancel().catch(() => {});
  }
}
