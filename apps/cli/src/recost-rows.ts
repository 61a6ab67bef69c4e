import { anthropic, besideOf, gemini, openai, type Dialect } from '#libs/dialects/index.js';
import type { Reprice, UsageRow } from '#libs/ledger/index.js';
import type { ProviderConfig } from '#libs/platform/config.js';
import type { PriceOverrides } from '#libs/price-admin/index.js';
import { priceCall, type PriceTable } from '#libs/pricing/index.js';

const DIALECTS: readonly Dialect[] = [openai, anthropic, gemini];

/**
 * Prices a row of the ledger from its usage as received, with the table and the overrides in force at its time. A provider
 * that is no longer configured, a model without a price and usage that cannot be counted leave the row as it is.
 */
export function repriceWith(
  table: PriceTable,
  providers: readonly ProviderConfig[],
  overrides: PriceOverrides,
): Reprice {
  const byName = new Map(providers.map((provider) => [provider.name, provider]));
  return (row) => {
    const provider = byName.get(row.provider);
    const usage = usageOf(row);
    if (provider === undefined || usage === null) return null;
    try {
      const { model, timeMs: atMs } = row;
      const price = priceCall(table, { provider, model, usage, atMs, overrides: overrides.of(row.orgId) });
      return price.priceVersion === null ? null : price;
    } catch {
      return null;
    }
  };
}

/** Read again, as readers learn; as stored where the raw text tells nothing. */
function usageOf({ dialect, usage }: UsageRow): UsageRow['usage'] {
  if (usage === null) return null;
  const reader = DIALECTS.find(({ name }) => name === dialect);
  return reader?.usageOfRaw(usage.raw, besideOf(usage)) ?? usage;
}
