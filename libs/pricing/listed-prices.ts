import type { Period, Rates } from './model-prices.js';
import type { PricedProvider, PriceTable } from './price-table.js';

/** One published price of a model, for people to read: USD per million tokens, fees in USD per thousand uses. */
export interface ListedPrice {
  /** `null`: the standard tier. */
  readonly serviceTier: string | null;
  /** `null`: from the beginning. */
  readonly fromMs: number | null;
  /** Holds for calls with more input tokens than this; -1: for all. */
  readonly aboveTokens: number;
  readonly inputUsd: number;
  readonly outputUsd: number | null;
  readonly cachedInputUsd: number;
  readonly cacheWrite5mUsd: number;
  readonly cacheWrite1hUsd: number;
  readonly webSearchUsd: number;
}

const PER_MILLION = 1e6;
const PER_THOUSAND = 1e9;

/** All published prices of a model, standard ones first; empty when the table knows none. */
export function listedPrices(table: PriceTable, provider: PricedProvider, model: string): readonly ListedPrice[] {
  const prices = table.find(provider, model);
  if (prices === null) return [];
  const tiers: [string | null, readonly Period[]][] = [[null, prices.standard], ...prices.tiers];
  return tiers.flatMap(([serviceTier, periods]) =>
    periods.flatMap(({ fromMs, tiers: steps }) =>
      steps.map((rates) => listed(rates, serviceTier, Number.isFinite(fromMs) ? fromMs : null)),
    ),
  );
}

function listed(rates: Rates, serviceTier: string | null, fromMs: number | null): ListedPrice {
  return {
    serviceTier,
    fromMs,
    aboveTokens: rates.above,
    inputUsd: rates.input / PER_MILLION,
    outputUsd: rates.output === null ? null : rates.output / PER_MILLION,
    cachedInputUsd: rates.cacheRead / PER_MILLION,
    cacheWrite5mUsd: rates.cacheWrite5m / PER_MILLION,
    cacheWrite1hUsd: rates.cacheWrite1h / PER_MILLION,
    webSearchUsd: rates.webSearch / PER_THOUSAND,
  };
}
