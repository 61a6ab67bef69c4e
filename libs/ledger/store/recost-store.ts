import type { UsageRow } from './usage-ledger.js';

/** Which rows are priced again. */
export interface RecostRange {
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** `null`: every organisation. */
  readonly orgId: string | null;
}

/** A cost found later, to stand beside the booked one. */
export interface Correction {
  readonly row: UsageRow;
  /** `null`: what was booked is right again. */
  readonly costNanos: bigint | null;
  readonly priceVersion: string | null;
  /** What the row's cost changes by, as reports show it. */
  readonly deltaNanos: bigint;
}

/** The rows of the ledger, for pricing them again. */
export interface RecostStore {
  /** Settled rows with their whole usage, oldest first, in batches of bounded size. */
  rows(range: RecostRange): AsyncIterable<readonly UsageRow[]>;
  /** Notes corrected costs beside the booked ones and moves the roll-ups by the difference, all or none. */
  correct(corrections: readonly Correction[], atMs: number): Promise<void>;
}
