/** What is known of a restoration between two stored events. */
export interface LiveProgress {
  percent: number;
  etaSeconds: number | null;
}

/** Publishing more often than this shows nobody anything. */
const INTERVAL_MS = 100;
/** Below this share an estimate of the rest is a guess. */
const ETA_FROM_PERCENT = 5;

/** Seconds until the end, by what the elapsed time has brought so far; null while there is no base for it. */
export function etaOf(percent: number, elapsedMs: number): number | null {
  if (percent < ETA_FROM_PERCENT || elapsedMs < 1000) return null;
  return Math.max(1, Math.round(((elapsedMs / percent) * (100 - percent)) / 1000));
}

/**
 * The newest percent of everything that runs, for queries and late subscribers, and the throttle in front of the
 * publisher: at most ten a second for each restoration, never going back, the last one of a burst always delivered.
 */
export function createProgress() {
  const live = new Map<string, LiveProgress>();

  return {
    get: (restorationId: string): LiveProgress | undefined => live.get(restorationId),

    /** Forgets a try, once how it ended is written. */
    end: (restorationId: string): void => void live.delete(restorationId),

    /** Starts to track one try; `close` ends the publishing, and where it stood is kept until `end`. */
    track(restorationId: string, publish: (progress: LiveProgress) => void) {
      let timer: NodeJS.Timeout | undefined;
      let last = Number.NEGATIVE_INFINITY;
      const current: LiveProgress = { percent: 0, etaSeconds: null };
      live.set(restorationId, current);
      const send = (): void => {
        timer = undefined;
        last = performance.now();
        publish({ ...current });
      };
      return {
        current,
        report(percent: number, etaSeconds: number | null): void {
          if (percent <= current.percent && etaSeconds === current.etaSeconds) return;
          current.percent = Math.max(current.percent, Math.min(100, percent));
          current.etaSeconds = etaSeconds;
          if (timer === undefined) timer = setTimeout(send, Math.max(0, last + INTERVAL_MS - performance.now()));
        },
        close(): void {
          clearTimeout(timer);
        },
      };
    },
  };
}

export type ProgressBoard = ReturnType<typeof createProgress>;
