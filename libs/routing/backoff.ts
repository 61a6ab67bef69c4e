/**
 * Pause before the next try at the same target, in ms: full jitter, that is anything from 0 to a bound that doubles with each
 * try (AWS Architecture Blog, "Exponential Backoff And Jitter"). What the provider asked for comes first, the jitter on top,
 * so that its callers do not all come back at the same moment.
 *
 * @param tries made at this target so far, from 1
 */
export function backoffMs(
  tries: number,
  limits: { readonly baseMs: number; readonly maxBackoffMs: number },
  retryAfterMs: number | null,
  random: () => number,
): number {
  const bound = Math.min(limits.maxBackoffMs, limits.baseMs * 2 ** Math.min(tries - 1, 30));
  if (retryAfterMs === null) return Math.floor(random() * bound);
  return retryAfterMs + Math.floor(random() * Math.min(bound, limits.baseMs));
}
