import type { Correction, RecostRange, RecostStore } from './store/recost-store.js';
import type { UsageRow } from './store/usage-ledger.js';

/** What a row costs at the prices known now for its time; `null`: it cannot be priced (its provider is gone, say). */
export type Reprice = (row: UsageRow) => { readonly costNanos: number; readonly priceVersion: string | null } | null;

/** Sums of one model over the range. Integer nano-dollars. */
export interface RecostSum {
  /** Rows whose cost changes. */
  readonly rows: number;
  readonly beforeNanos: bigint;
  readonly afterNanos: bigint;
}

export interface RecostReport {
  /** Settled rows with reported usage that were looked at. */
  readonly rows: number;
  readonly changed: number;
  /** Rows that could not be priced, and stay as they are. */
  readonly skipped: number;
  /** What the changed rows cost before and after, by `provider/model`. */
  readonly models: ReadonlyMap<string, RecostSum>;
}

/**
 * The correction of one row, `null` when its cost stays. A row that was corrected before is compared with that cost. A row
 * without a price is corrected even where it turns out to be free: it is unpriced no more.
 */
export function correctionOf(row: UsageRow, reprice: Reprice): Correction | 'skipped' | null {
  const price = reprice(row);
  if (price === null) return 'skipped';
  const costNanos = BigInt(price.costNanos);
  const shown = row.recost ?? row;
  if (costNanos === shown.costNanos && shown.priceVersion !== null) return null;
  const isBooked = costNanos === row.costNanos && row.priceVersion !== null;
  return {
    row,
    costNanos: isBooked ? null : costNanos,
    priceVersion: isBooked ? row.priceVersion : price.priceVersion,
    deltaNanos: costNanos - shown.costNanos,
  };
}

/**
 * Prices the rows of a time again from the usage as the provider reported it (KEY-5). Without `apply` nothing is written:
 * the report says what would change. With it, corrected costs are noted beside the booked ones, batch by batch; running it
 * again changes nothing more. What was booked, and what budgets were charged, stays. Rows that are not settled, or whose usage
 * is only what was seen until the answer broke off, are left out: their true cost comes by reconciling.
 */
export async function recost(
  store: RecostStore,
  reprice: Reprice,
  range: RecostRange,
  { apply, nowMs }: { readonly apply: boolean; readonly nowMs: number },
): Promise<RecostReport> {
  const models = new Map<string, RecostSum>();
  let [rows, changed, skipped] = [0, 0, 0];
  for await (const batch of store.rows(range)) {
    rows += batch.length;
    const corrections: Correction[] = [];
    for (const row of batch) {
      const correction = correctionOf(row, reprice);
      if (correction === 'skipped') skipped += 1;
      else if (correction !== null) corrections.push(correction);
    }
    changed += corrections.length;
    for (const correction of corrections) addTo(models, correction);
    if (apply) await store.correct(corrections, nowMs);
  }
  return { rows, changed, skipped, models };
}

function addTo(models: Map<string, RecostSum>, { row, deltaNanos }: Correction): void {
  const name = `${row.provider}/${row.model}`;
  const sum = models.get(name) ?? { rows: 0, beforeNanos: 0n, afterNanos: 0n };
  const beforeNanos = row.recost?.costNanos ?? row.costNanos;
  models.set(name, {
    rows: sum.rows + 1,
    beforeNanos: sum.beforeNanos + beforeNanos,
    afterNanos: sum.afterNanos + beforeNanos + deltaNanos,
  });
}
