import { WINDOW_S } from './limit-counters.js';

/**
 * What this process itself has used in the last seconds, by its own monotonic clock: how much to have in hand, and what
 * counts while the shared counters are away.
 */
export class OwnWindow {
  readonly #counts = new Float64Array(WINDOW_S);
  #second = 0;
  #sum = 0;

  /** Units below nothing (what was charged too much) never take a second below zero. */
  add(nowMs: number, units: number): void {
    const at = this.#turnTo(nowMs) % WINDOW_S;
    const before = this.#counts[at] as number;
    const after = Math.max(0, before + units);
    this.#counts[at] = after;
    this.#sum += after - before;
  }

  sum(nowMs: number): number {
    this.#turnTo(nowMs);
    return this.#sum;
  }

  /** Of the last whole second. */
  lastSecond(nowMs: number): number {
    const second = this.#turnTo(nowMs);
    return this.#counts[(second + WINDOW_S - 1) % WINDOW_S] as number;
  }

  #turnTo(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (second > this.#second) {
      const gone = Math.min(second - this.#second, WINDOW_S);
      for (let i = 1; i <= gone; i++) {
        const at = (this.#second + i) % WINDOW_S;
        this.#sum -= this.#counts[at] as number;
        this.#counts[at] = 0;
      }
      this.#second = second;
    }
    return this.#second;
  }
}
