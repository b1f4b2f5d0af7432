/** Lets work through as far as there is room for it. */
export interface Gate {
  /**
   * Runs `work` once there is room for `weight`, and gives the room back when it has ended, however it did.
   *
   * @throws the reason of `signal` while it waits (work that has begun is not stopped by the gate); what `work` throws.
   */
  run<T>(weight: number, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

interface Turn {
  readonly number: number;
  readonly weight: number;
  begin(): void;
}

const weightOf = (turns: Iterable<Turn>): number => Iterator.from(turns).reduce((sum, { weight }) => sum + weight, 0);

/**
 * A gate for work that takes memory. First come, first served; one that waits is passed only by such as will also fit beside
 * it, so that light work goes on beside heavy work and heavy work is never starved. What is heavier than the capacity
 * runs alone.
 *
 * @param options.capacity how much may be under way together, e.g. bytes.
 * @param options.places how many may be under way together, however light.
 */
export function createGate({ capacity, places }: { capacity: number; places: number }): Gate {
  const running = new Set<Turn>();
  const waiting: Turn[] = [];
  let last = 0;

  function fits(turn: Turn): boolean {
    if (running.size === 0) return true;
    if (running.size >= places || weightOf(running) + turn.weight > capacity) return false;
    const first = waiting[0] ?? turn;
    if (first === turn) return true;
    const passed = running.values().filter(({ number }) => number > first.number);
    return weightOf(passed) + turn.weight + first.weight <= capacity;
  }

  function admit(): void {
    for (const turn of waiting.slice()) {
      if (!fits(turn)) continue;
      waiting.splice(waiting.indexOf(turn), 1);
      running.add(turn);
      turn.begin();
    }
  }

  return {
    async run(weight, signal, work) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const turn: Turn = { number: ++last, weight, begin: resolve };
      const leave = (): void => {
        const at = waiting.indexOf(turn);
        if (at < 0) return;
        waiting.splice(at, 1);
        reject(signal.reason as Error);
        admit();
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(turn);
      admit();
      try {
        await promise;
        return await work();
      } finally {
        signal.removeEventListener('abort', leave);
        running.delete(turn);
        admit();
      }
    },
  };
}
