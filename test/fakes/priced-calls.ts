// Calls priced at one moment, for the specs of pricing.
import type { TokenUsage, UsageDetails } from '#libs/dialects/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import { bundledPriceTable, priceCall, type CallPrice, type PricedProvider } from '#libs/pricing/index.js';

export const table = bundledPriceTable();
export const openai: PricedProvider = { name: 'openai', type: 'openai', baseUrl: 'https://api.openai.com' };
export const anthropic: PricedProvider = { name: 'anthropic', type: 'anthropic', baseUrl: 'https://api.anthropic.com' };
export const NOVEMBER = Date.UTC(2026, 10, 15);

/** Usage of nothing, but for the given parts. */
function usage(parts: Partial<TokenUsage>): TokenUsage {
  return {
    inputTokens: 0,
    cachedInputTokens: 0,
    cacheWrite5mTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    webSearchRequests: 0,
    details: null,
    raw: '{}',
    ...parts,
  };
}

interface More {
  readonly atMs?: number;
  readonly overrides?: readonly PriceOverride[];
  readonly details?: UsageDetails;
}
/** What a call in November costs by the bundled table. */
export function price(provider: PricedProvider, model: string, parts: Partial<TokenUsage>, more: More = {}): CallPrice {
  const { details = null, ...request } = more;
  return priceCall(table, { provider, model, usage: usage({ details, ...parts }), atMs: NOVEMBER, ...request });
}
