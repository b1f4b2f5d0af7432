import type { Topics } from './events/service.ts';
import type { Failpoint, Fault } from './failpoints.ts';
import type { Provider } from './providers/provider.ts';
import type { EventBus } from './pubsub/pubsub.ts';
import type { JobHandler, Queue } from './queue/queue.ts';
import { createStorage } from './storage/create.ts';
import type { Spool } from './storage/spool.ts';
import type { Storage } from './storage/storage.ts';

/** The ports at which failpoints sit. */
interface Ports {
  readonly storage: Storage;
  readonly spool: Spool;
  readonly queue: Queue;
  readonly bus: EventBus<Topics>;
  readonly providers: readonly Provider[];
  readonly config: { readonly processedDir: string };
}

const RENDITION = /\.(thumbnail|preview|medium|large|original)\.webp$/;

/**
 * The ports with a fault in one place, for tests. They are wrapped from outside, so that a service without a fault runs
 * not one statement of this. An error is thrown after the act: whoever asked for it must not believe that nothing happened.
 */
export function withFault<P extends Ports>(ports: P, fault: Fault): P {
  const { storage, spool, queue, bus, config } = ports;
  let times = 0;

  function reach(point: Failpoint): void {
    if (point !== fault.point || ++times !== fault.time) return;
    if (fault.action !== 'throw') {
      process.kill(process.pid, fault.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
      return;
    }
    throw Object.assign(new Error(`EIO: the failpoint ${point}`), { code: 'EIO' });
  }

  const pointOf = (key: string): Failpoint => {
    const isResult = key.startsWith(`${config.processedDir}/`);
    if (RENDITION.test(key)) return isResult ? 'result-rendition-stored' : 'rendition-stored';
    return isResult ? 'result-stored' : 'original-stored';
  };

  const faultyHandler = (handler: JobHandler): JobHandler => ({
    ...handler,
    async run(claim) {
      reach('job-claimed');
      const outcome = await handler.run(claim);
      reach('run-ended');
      return outcome;
    },
    async reclaimed(refId) {
      await handler.reclaimed?.(refId);
      reach('job-reclaimed');
    },
  });

  return {
    ...ports,
    storage: createStorage({
      ...storage,
      async put(key, localPath) {
        await storage.put(key, localPath);
        reach(pointOf(key));
      },
      async delete(key) {
        reach('rows-erased');
        await storage.delete(key);
        reach('file-erased');
      },
    }),
    spool: {
      ...spool,
      async spool(stream, options) {
        const file = await spool.spool(stream, options);
        try {
          reach('upload-spooled');
        } catch (error) {
          await file.discard();
          throw error;
        }
        return file;
      },
    },
    queue: {
      ...queue,
      wake() {
        reach('submission-committed');
        queue.wake();
      },
      start: ({ restoration, ...others }) =>
        queue.start({ ...others, ...(restoration && { restoration: faultyHandler(restoration) }) }),
    },
    bus: {
      ...bus,
      publish(topic, id, event) {
        if (event.event.status === 'SUCCEEDED') reach('success-committed');
        bus.publish(topic, id, event);
      },
    },
    providers: ports.providers.map((provider) => ({
      ...provider,
      async restore(request, context) {
        const result = await provider.restore(request, context);
        reach('result-made');
        return result;
      },
    })),
  };
}
