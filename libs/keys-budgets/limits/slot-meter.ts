import type { SlotAnswer, SlotAsk } from './limit-counters.js';

/**
 * The concurrency slots of one scope in this process. The process has a ceiling, which the shared counters know; calls come
 * and go below it.
 */
export class SlotMeter {
  limit: number;
  used = 0;
  /** As many calls as this process may have under way. */
  ceiling = 0;
  /** Slots that waiting calls lack. */
  need = 0;
  /** Slots no process holds, as last heard; `null`: never asked. */
  free: number | null = null;
  /** When the counters last heard what this process holds, monotonic ms. */
  saidMs = 0;
  #peak = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  take(): boolean {
    if (this.used >= this.ceiling || this.used >= this.limit) return false;
    this.used += 1;
    if (this.used > this.#peak) this.#peak = this.used;
    return true;
  }

  release(): void {
    this.used -= 1;
  }

  /** Own calls alone fill the limit: nobody has to be asked. */
  get isFull(): boolean {
    return this.used >= this.limit;
  }

  /** No idle slot is left although calls keep coming. */
  get isLow(): boolean {
    return this.used >= 4 && this.used >= this.ceiling && this.ceiling < this.limit && this.free !== 0;
  }

  /** More idle slots than may lie about while others might want them. */
  isHoarding(replicas: number): boolean {
    return this.ceiling - this.used > this.#mayIdle(replicas);
  }

  ask(replicas: number, nowMs: number): SlotAsk {
    // From here on no call goes above what is said: the answer may come after another process was given the rest.
    this.ceiling = Math.max(this.used, Math.min(this.ceiling, this.used + this.#mayIdle(replicas), this.#peak));
    this.saidMs = nowMs;
    const wanted = this.need > 0 || this.isLow ? Math.ceil((this.used + this.need) / 4) : 0;
    const ask = { limit: this.limit, hold: this.ceiling, need: this.need, want: wanted };
    this.need = 0;
    return ask;
  }

  answered(answer: SlotAnswer): void {
    this.ceiling = answer.ceiling;
    this.free = answer.free;
  }

  /** Begins a new look at how many are in use at once; true when idle slots can go back. */
  lookAgain(): boolean {
    const canReturn = this.ceiling > this.#peak;
    this.#peak = this.used;
    return canReturn;
  }

  takeShare(replicas: number): boolean {
    if (this.used >= Math.max(1, Math.floor(this.limit / replicas))) return false;
    this.used += 1;
    return true;
  }

  #mayIdle(replicas: number): number {
    const idle = Math.max(0, this.ceiling - this.used);
    return replicas === 1 ? this.limit : Math.floor(((this.free ?? 0) + idle) / (8 * replicas));
  }
}
