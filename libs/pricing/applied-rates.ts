import type { UsageDetails } from '#libs/dialects/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import { type ModelPrices, type Rates, ratesAt } from './model-prices.js';
import { findOverride } from './overrides.js';
import type { PricedProvider, PriceTable } from './price-table.js';
import { previewSearchFee, searchModelFee, type ToolFees, toolFeesOf } from './tool-fees.js';

/** Why a cost is not exact: the nearest published price stands in for one that is not known; for output of a model without a price of output, none. */
export type EstimateReason =
  'tier_price' | 'region_price' | 'media_price' | 'tool_fee' | 'part_unpriced' | 'output_price';

/** An exact factor, numerator and denominator. */
export type Factor = readonly [number, number];

/** Which prices a piece of usage has. */
export interface AppliedRates {
  readonly rates: Rates;
  readonly fees: ToolFees;
  /** On token prices only: fees of tools stay as they are. `null`: none. */
  readonly factor: Factor | null;
  /** True where an admin set them. */
  readonly isOverride: boolean;
  readonly version: string;
  readonly estimates: readonly EstimateReason[];
}

export interface RatesQuery {
  readonly provider: PricedProvider;
  readonly model: string;
  readonly atMs: number;
  readonly inputTokens: number;
  readonly overrides: readonly PriceOverride[];
  readonly details: UsageDetails | null;
}

/** Anthropic `inference_geo: "us"`, and OpenAI's regional endpoints. */
export const REGIONAL: Factor = [11, 10];

/**
 * Factors on the standard price for tiers the data has no prices of: what such tiers cost where prices are published
 * (OpenAI, Anthropic, Google: batch half; priority and fast 1.7 to 2.5 times; ultrafast 6). Discounts that nobody has
 * published are not assumed.
 */
const TIER_FACTORS: Readonly<Record<string, Factor>> = {
  batch: [1, 2],
  priority: [2, 1],
  fast: [2, 1],
  ultrafast: [6, 1],
};

/** Tiers that are paid for by a commitment, not by the call: the standard price says what they are worth. */
const COMMITTED = new Set(['scale', 'provisioned_throughput']);

/** Base addresses of OpenAI's regional endpoints, such as `https://eu.api.openai.com/v1`. */
const REGIONAL_ENDPOINT = /^https:\/\/[a-z]{2}\.api\.openai\.com(\/|$)/;

/** True where a provider's address is a regional endpoint with its own surcharge. */
export function isRegionalEndpoint(provider: PricedProvider): boolean {
  return provider.baseUrl !== null && REGIONAL_ENDPOINT.test(provider.baseUrl);
}

/** The factor of a tier without published prices, for one model family; `null`: the standard price. */
export function tierFactor(tier: string, listId: string): Factor | null {
  if (COMMITTED.has(tier) || (tier === 'priority' && listId === 'anthropic')) return null;
  return Object.hasOwn(TIER_FACTORS, tier) ? (TIER_FACTORS[tier] as Factor) : null;
}

/**
 * The prices in force for a model: an override wins over the table, a tier's own prices over standard ones. `null` when no
 * price is known.
 */
export function ratesOf(table: PriceTable, query: RatesQuery): AppliedRates | null {
  const { provider, model, atMs, inputTokens, details } = query;
  const override = findOverride(query.overrides, provider, model, atMs);
  // Fees and the factor of a region are the table's in any case; an ordinary call under an override needs neither.
  const listed = override === null || details !== null ? table.find(provider, model) : null;
  const estimates: EstimateReason[] = [];
  const factors = factorsOf(query, listed, estimates);
  const tier = details?.serviceTier;
  if (override !== null) {
    if (tier !== undefined) addTierFactor(tier, listed, factors, estimates);
    const { rates, version } = override;
    return { rates, fees: feesOf(listed), factor: product(factors), isOverride: true, version, estimates };
  }
  if (listed === null) return null;
  const rates =
    tier === undefined
      ? ratesAt(listed.standard, atMs, inputTokens)
      : tierRates(tier, { listed, atMs, inputTokens }, factors, estimates);
  return rates === null
    ? null
    : { rates, fees: feesOf(listed), factor: product(factors), isOverride: false, version: table.version, estimates };
}

function product(factors: readonly Factor[]): Factor | null {
  if (factors.length === 0) return null;
  return factors.reduce(([times, by], factor): Factor => [times * factor[0], by * factor[1]]);
}

function tierRates(
  tier: string,
  { listed, atMs, inputTokens }: { readonly listed: ModelPrices; readonly atMs: number; readonly inputTokens: number },
  factors: Factor[],
  estimates: EstimateReason[],
): Rates | null {
  const periods = listed.tiers.get(tier);
  const isOwn = periods !== undefined && periods.length > 0;
  // Azure's deployments are found in OpenAI's list: its tiers are the nearest there is.
  if (!isOwn || atMs < (periods[0]?.fromMs ?? 0)) estimates.push('tier_price');
  if (isOwn) return ratesAt(periods, atMs, inputTokens);
  const factor = tierFactor(tier, listed.listId);
  if (factor !== null) factors.push(factor);
  return ratesAt(listed.standard, atMs, inputTokens);
}

/** An admin's price is for the standard tier: others follow it by the usual factor. */
function addTierFactor(tier: string, listed: ModelPrices | null, factors: Factor[], estimates: EstimateReason[]): void {
  estimates.push('tier_price');
  const factor = tierFactor(tier, listed?.listId ?? '');
  if (factor !== null) factors.push(factor);
}

function factorsOf(query: RatesQuery, listed: ModelPrices | null, estimates: EstimateReason[]): Factor[] {
  const region = query.details?.region;
  const factors: Factor[] = [];
  if (region !== undefined) {
    factors.push(REGIONAL);
    if (region !== 'us') estimates.push('region_price');
  }
  if (listed?.regional === true && isRegionalEndpoint(query.provider)) factors.push(REGIONAL);
  return factors;
}

function feesOf(listed: ModelPrices | null): ToolFees {
  return toolFeesOf(listed?.listId ?? '');
}

/** A fee per use, and whether it is a guess because the model's own price data has none. */
export interface Fee {
  readonly picos: number;
  readonly guessed: boolean;
}

/** The fee of one web search: an admin's, the model's own, or the usual one of its provider. */
export function webSearchFee(applied: AppliedRates, listed: ModelPrices | null, atMs: number, isPreview: boolean): Fee {
  const { rates, isOverride, fees } = applied;
  if (isOverride && rates.webSearch > 0) return { picos: rates.webSearch, guessed: false };
  const preview = isPreview && listed !== null ? previewSearchFee(listed) : null;
  const own = preview ?? (listed === null ? 0 : (ratesAt(listed.standard, atMs, 0)?.webSearch ?? 0));
  return own > 0 ? { picos: own, guessed: false } : { picos: fees.webSearch, guessed: true };
}

/** What is charged once per call: by an admin's price, the data's, or as the fee of a model that searches before it answers. */
export function callFee(applied: AppliedRates, listed: ModelPrices | null, model: string, atMs: number): number {
  if (applied.rates.call > 0 || listed === null) return applied.rates.call;
  const published = applied.isOverride ? (ratesAt(listed.standard, atMs, 0)?.call ?? 0) : 0;
  return published > 0 ? published : searchModelFee(listed, model);
}
