import { setMaxListeners } from 'node:events';
import { createPubSub, SlidingBuffer } from 'graphql-yoga';

/** Events a subscriber may be behind before the oldest are dropped: progress is last-value-wins. */
const BUFFERED_EVENTS = 64;

/** Live events within this process, typed by a map of topic to payload. */
export interface EventBus<Topics extends object> {
  /** Hands `event` to everybody who follows `topic` of `id` now; nobody is waited for. */
  publish<T extends keyof Topics & string>(topic: T, id: string, event: Topics[T]): void;
  /**
   * Follows `topic` of `id`. It listens from the moment of the call, not from the first `next()`, so a caller can
   * subscribe, then read the current state, and miss nothing in between. A reader that is slow loses the oldest events
   * beyond 64. Ends when the iterator is returned or `signal` aborts; one of the two must happen.
   */
  subscribe<T extends keyof Topics & string>(
    topic: T,
    id: string,
    signal?: AbortSignal,
  ): AsyncIterableIterator<Topics[T], undefined, undefined>;
}

/** Creates the event bus of one process. */
export function createEventBus<Topics extends object>(): EventBus<Topics> {
  const eventTarget = new EventTarget();
  setMaxListeners(0, eventTarget);
  // A Repeater holds on to the very buffer it is given: one shared by two subscribers would mix up their events, so
  // every subscription gets a pubsub of its own on the common target.
  const channel = () =>
    createPubSub<Record<string, [id: string, event: unknown]>>({
      eventTarget: eventTarget as never,
      repeaterBuffer: new SlidingBuffer(BUFFERED_EVENTS),
    });
  const publisher = channel();

  return {
    publish(topic, id, event) {
      publisher.publish(topic, id, event);
    },
    subscribe<T extends keyof Topics & string>(topic: T, id: string, signal?: AbortSignal) {
      type Result = IteratorResult<Topics[T], undefined>;
      const events = channel().subscribe(topic, id);
      const take = () => events.next() as Promise<Result>;
      const end = (): Promise<Result> => {
        signal?.removeEventListener('abort', end);
        return events.return(undefined) as Promise<Result>;
      };
      // A Repeater starts to listen at its first next().
      let first: Promise<Result> | undefined = take();
      if (signal?.aborted) void end();
      else signal?.addEventListener('abort', end, { once: true });
      return {
        next() {
          const result = first ?? take();
          first = undefined;
          return result;
        },
        return: end,
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
}
