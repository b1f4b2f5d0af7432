/** A bounded map that forgets: what was used longest ago first, and everything when its time is up. */
export interface Cache<V> {
  get(key: string): V | undefined;
  /** @param until milliseconds since 1970 at which it is forgotten. */
  set(key: string, value: V, until: number): void;
  delete(key: string): void;
}

/** @param max entries kept. */
export function createCache<V>(max: number, now: () => number): Cache<V> {
  const entries = new Map<string, { value: V; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (entry.until <= now()) return undefined;
      // A Map keeps the order of insertion, so what is put back last goes last.
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, until) {
      entries.delete(key);
      entries.set(key, { value, until });
      const oldest = entries.size > max ? entries.keys().next().value : undefined;
      if (oldest !== undefined) entries.delete(oldest);
    },
    delete(key) {
      entries.delete(key);
    },
  };
}
