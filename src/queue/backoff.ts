const LONGEST_SECONDS = 60;
/** A provider that asks for more has made a mistake, or wants to be forgotten. */
const LONGEST_ASKED_SECONDS = 24 * 3600;

/**
 * Seconds to wait before the next try: exponential with full jitter on its upper half, so that jobs which failed together
 * do not return together (AWS Architecture Blog, "Exponential Backoff And Jitter", the "equal jitter" form). What the
 * provider asked for wins when it is longer, up to a day.
 *
 * @param attempt the try that has just failed, from 1.
 * @param random a number in [0, 1).
 */
export function retryDelaySeconds(
  attempt: number,
  baseSeconds: number,
  providerSeconds: number | undefined,
  random: number = Math.random(),
): number {
  const full = Math.min(LONGEST_SECONDS, baseSeconds * 2 ** (attempt - 1));
  const asked = Math.min(LONGEST_ASKED_SECONDS, providerSeconds ?? 0);
  return Math.max(asked, full / 2 + (full / 2) * random);
}
