export interface Slots {
  /**
   * A place of `key`, or several, or null when there are not so many left; call what it returns to give them back (once
   * counts).
   */
  acquire(key: string, places?: number): (() => void) | null;
  /** How many places of `key` are taken. */
  taken(key: string): number;
}

/**
 * Counts what is under way per key, e.g. the uploads of a session.
 *
 * @param options.max places per key; 0 = no limit.
 */
export function createSlots(options: { max: number }): Slots {
  const taken = new Map<string, number>();
  return {
    acquire(key, places = 1) {
      const now = taken.get(key) ?? 0;
      if (options.max > 0 && now + places > options.max) return null;
      taken.set(key, now + places);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const left = (taken.get(key) ?? places) - places;
        if (left > 0) taken.set(key, left);
        else taken.delete(key);
      };
    },
    taken: (key) => taken.get(key) ?? 0,
  };
}
