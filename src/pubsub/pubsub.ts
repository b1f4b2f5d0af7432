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
  type Take = (event: Topics[keyof Topics & string]) => void;
  const followers = new Map<string, Set<Take>>();
  const keyOf = (topic: string, id: string): string => `${topic}:${id}`;

  return {
    publish(topic, id, event) {
      for (const take of followers.get(keyOf(topic, id)) ?? []) take(event);
    },

    subscribe<T extends keyof Topics & string>(topic: T, id: string, signal?: AbortSignal) {
      type Result = IteratorResult<Topics[T], undefined>;
      const key = keyOf(topic, id);
      const group = followers.get(key) ?? new Set<Take>();
      const kept: Topics[T][] = [];
      const waiting: ((result: Result) => void)[] = [];
      let over = false;

      const take: Take = (event) => {
        const next = waiting.shift();
        if (next !== undefined) return next({ done: false, value: event as Topics[T] });
        kept.push(event as Topics[T]);
        if (kept.length > BUFFERED_EVENTS) kept.shift();
      };
      const end = (): void => {
        if (over) return;
        over = true;
        signal?.removeEventListener('abort', end);
        group.delete(take);
        if (group.size === 0 && followers.get(key) === group) followers.delete(key);
        kept.length = 0;
        for (const next of waiting.splice(0)) next({ done: true, value: undefined });
      };
      followers.set(key, group.add(take));
      if (signal?.aborted) end();
      else signal?.addEventListener('abort', end, { once: true });

      return {
        next(): Promise<Result> {
          if (over) return Promise.resolve({ done: true, value: undefined });
          if (kept.length > 0) return Promise.resolve({ done: false, value: kept.shift() as Topics[T] });
          return new Promise((resolve) => waiting.push(resolve));
        },
        return(): Promise<Result> {
          end();
          return Promise.resolve({ done: true, value: undefined });
        },
        [Symbol.asyncIterator]() {
          return this;
        },
      };
    },
  };
}
