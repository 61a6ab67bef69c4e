/** Time as the product sees it. `now` is wall time (ms since 1970), `monotonic` only measures durations (ms). */
export interface Clock {
  now(): number;
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
