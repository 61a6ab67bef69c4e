import type { PriceOverride } from '#libs/platform/config.js';
import { ratesOf } from './applied-rates.js';
import type { PricedProvider, PriceTable } from './price-table.js';

/** Whether a model has a price at `atMs`, set by an admin or published. A memoised look-up. */
export function isPriced(
  table: PriceTable,
  provider: PricedProvider,
  model: string,
  atMs: number,
  overrides: readonly PriceOverride[],
): boolean {
  return ratesOf(table, { provider, model, atMs, inputTokens: 0, overrides, details: null }) !== null;
}
