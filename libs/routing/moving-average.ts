/** Weight of the past, and how fast an old figure fades so that a slow target is tried again. */
const EWMA_MS = 30_000;
const FADE_MS = 60_000;

/** A moving average over time. All times are the monotonic ms that the caller passes. */
export class MovingAverage {
  #value = 0;
  #atMs = 0;

  /** `null` before the first figure. */
  get value(): number | null {
    return this.#atMs === 0 ? null : this.#value;
  }

  add(nowMs: number, figure: number): void {
    if (this.#atMs === 0) this.#value = figure;
    else {
      // Figures that come in a burst weigh a quarter at least: a change is seen after a few.
      const past = Math.min(0.75, Math.exp(-Math.max(0, nowMs - this.#atMs) / EWMA_MS));
      this.#value = past * this.#value + (1 - past) * figure;
    }
    this.#atMs = Math.max(nowMs, 1);
  }

  /** The average, less the older it is; 0 before the first figure. */
  faded(nowMs: number): number {
    return this.#value * Math.exp(-Math.max(0, nowMs - this.#atMs) / FADE_MS);
  }
}
