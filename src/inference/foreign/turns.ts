/** Lets one piece of work through at a time. */
export interface Turns {
  /**
   * Runs `work` when it is its turn, and gives the turn on when that has ended, however it did.
   *
   * @throws the reason of `signal` while it waits (work that has begun is not stopped); what `work` throws.
   */
  run<T>(kind: Kind, signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

type Kind = 'job' | 'examination';

interface Turn {
  readonly kind: Kind;
  begin(): void;
}

/** So many jobs go before an examination that waits; then it has its turn, since somebody may want to use that very model. */
const MOST_BEFORE = 4;

/** Turns for models: jobs first, each kind in the order in which it came. */
export function createTurns(): Turns {
  const waiting: Turn[] = [];
  let busy = false;
  let wentBefore = 0;

  function next(): void {
    if (busy) return;
    const job = waiting.find(({ kind }) => kind === 'job');
    const examination = waiting.find(({ kind }) => kind === 'examination');
    const turn = examination !== undefined && wentBefore >= MOST_BEFORE ? examination : (job ?? examination);
    if (turn === undefined) return;
    wentBefore = turn.kind === 'job' && examination !== undefined ? wentBefore + 1 : 0;
    waiting.splice(waiting.indexOf(turn), 1);
    busy = true;
    turn.begin();
  }

  return {
    async run(kind, signal, work) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const turn: Turn = { kind, begin: resolve };
      const leave = (): void => {
        const at = waiting.indexOf(turn);
        if (at < 0) return;
        waiting.splice(at, 1);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(turn);
      next();
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', leave);
      }
      try {
        return await work();
      } finally {
        busy = false;
        next();
      }
    },
  };
}
