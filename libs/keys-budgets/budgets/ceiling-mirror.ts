import type { BudgetLedger, HeldCeiling } from './budget-counters.js';

/** Ceilings that the ledger has not heard of, and how to say that they did not arrive. */
export interface MovedCeilings {
  readonly ceilings: readonly HeldCeiling[];
  restore(): void;
}

export interface MirrorOptions {
  readonly processId: string;
  readonly ledger: Pick<BudgetLedger, 'mirror'>;
  takeMoved(): MovedCeilings;
  nextMirrorSeq(): number;
}

const EVERY_MS = 250;

/**
 * Tells the ledger what this process holds, for the day Redis' memory and this process's disk are lost together. Straight
 * into PostgreSQL: the way of the rows would lose the copy with Redis, and make it as old as the worker is late. One write
 * under way at a time, each with the newest ceilings: what waits is bounded by the number of accounts.
 */
export class CeilingMirror {
  readonly #options: MirrorOptions;
  #isBusy = false;
  #lastMs = 0;

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Writes what is due. */
  tick(nowMs: number): void {
    if (this.#isBusy || nowMs - this.#lastMs < EVERY_MS) return;
    this.#lastMs = nowMs;
    const { processId, ledger, takeMoved, nextMirrorSeq } = this.#options;
    const moved = takeMoved();
    if (moved.ceilings.length === 0) return;
    this.#isBusy = true;
    ledger
      .mirror(processId, nextMirrorSeq(), moved.ceilings)
      .catch(() => moved.restore()) // the ledger is away: said again, as it stands then
      .finally(() => (this.#isBusy = false));
  }
}
