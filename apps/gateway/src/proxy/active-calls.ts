import type { AbortReason } from './ending.js';

/** What is known of a call under way. */
export interface ActiveCall {
  /** Monotonic ms at which it has taken too long. */
  readonly deadlineMs: number;
  /** Since when its caller has not read on; `null` while it reads. */
  readonly pausedSinceMs: number | null;
  /** Where `ActiveCalls` keeps the call; nobody else's business. */
  activeAt: number;
  abort(reason: AbortReason): void;
}

const SWEEP_MS = 1000;
const MAX_PAUSE_MS = 120_000;
/** An aborted call ends in the same turn, or when its connection does. */
const ABORT_GRACE_MS = 5000;

/**
 * The calls under way: one sweep a second ends those beyond their total time (a timer per call would cost more than the
 * second matters), and shutting down waits for the set to become empty.
 */
export class ActiveCalls {
  // An array, not a Set: a Set with this much coming and going drags dead calls, buffers included, into the old generation
  // (the tables it outgrew still point at them), and collecting them costs more than all stages together.
  readonly #calls: ActiveCall[] = [];
  readonly #sweep = setInterval(() => this.#endOverdue(), SWEEP_MS).unref();
  #onEmpty: (() => void) | null = null;

  get size(): number {
    return this.#calls.length;
  }

  add(call: ActiveCall): void {
    call.activeAt = this.#calls.length;
    this.#calls.push(call);
  }

  delete(call: ActiveCall): void {
    if (this.#calls[call.activeAt] !== call) return;
    // The last one takes its place.
    const last = this.#calls.pop() as ActiveCall;
    if (last !== call) {
      last.activeAt = call.activeAt;
      this.#calls[call.activeAt] = last;
    }
    if (this.#calls.length === 0) this.#onEmpty?.();
  }

  /**
   * Resolves when no call is left; calls still running after `drainMs` are ended with an error event (`draining`). One that
   * does not end even then is left behind after another `graceMs`: its intent is in the spool, whoever adopts that books it.
   * @returns how many were left behind
   */
  async drain(drainMs: number, graceMs: number = ABORT_GRACE_MS): Promise<number> {
    if (this.#calls.length > 0) {
      const empty = new Promise<void>((resolve) => (this.#onEmpty = resolve));
      const abort = setTimeout(() => this.#abortAll(), drainMs);
      let giveUp: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => (giveUp = setTimeout(resolve, drainMs + graceMs)));
      await Promise.race([empty, late]);
      clearTimeout(abort);
      clearTimeout(giveUp);
    }
    clearInterval(this.#sweep);
    return this.#calls.length;
  }

  #abortAll(): void {
    for (const call of [...this.#calls]) {
      try {
        call.abort('draining');
      } catch {
        // the others are to end all the same; this one is left behind
      }
    }
  }

  #endOverdue(): void {
    const now = performance.now();
    for (const call of [...this.#calls]) {
      if (now > call.deadlineMs) call.abort('upstream_timeout');
      // A caller that stays but does not read holds its upstream and our memory: it counts as gone.
      else if (call.pausedSinceMs !== null && now - call.pausedSinceMs > MAX_PAUSE_MS) call.abort('client_gone');
    }
  }
}
