import type { AbortReason } from './upstream-call.js';

/** What is known of a call under way. */
export interface ActiveCall {
  readonly startedMs: number;
  readonly totalMs: number;
  abort(reason: AbortReason): void;
}

const SWEEP_MS = 1000;

/**
 * The calls under way: one sweep a second ends those beyond their total time (a timer per call would cost more than the
 * second matters), and shutting down waits for the set to become empty.
 */
export class ActiveCalls {
  readonly #calls = new Set<ActiveCall>();
  readonly #sweep = setInterval(() => this.#endOverdue(), SWEEP_MS).unref();
  #onEmpty: (() => void) | null = null;

  get size(): number {
    return this.#calls.size;
  }

  add(call: ActiveCall): void {
    this.#calls.add(call);
  }

  delete(call: ActiveCall): void {
    this.#calls.delete(call);
    if (this.#calls.size === 0) this.#onEmpty?.();
  }

  /** Resolves when no call is left; calls still running after `drainMs` are ended with an error event (`draining`). */
  async drain(drainMs: number): Promise<void> {
    if (this.#calls.size > 0) {
      const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve));
      const timer = setTimeout(() => this.#abortAll(), drainMs);
      await empty;
      clearTimeout(timer);
    }
    clearInterval(this.#sweep);
  }

  #abortAll(): void {
    for (const call of this.#calls) call.abort('draining');
  }

  #endOverdue(): void {
    const now = performance.now();
    for (const call of this.#calls) if (now - call.startedMs > call.totalMs) call.abort('upstream_timeout');
  }
}
