import { type Factor, isRegionalEndpoint, REGIONAL, tierFactor } from './applied-rates.js';
import type { BoundRules } from './bound-rules.js';
import { type ModelPrices, type Period, type Rates, tiersAt } from './model-prices.js';
import { findOverride } from './overrides.js';
import type { PriceTable } from './price-table.js';
import { previewSearchFee, searchModelFee, toolFeesOf } from './tool-fees.js';
import type { BoundRequest } from './upper-bound.js';

/** The dearest prices that may apply to a call, pico-dollars per token or use; tokens include the factor of a region. */
export interface CeilingRates {
  readonly input: number;
  /** `null`: a price that may apply knows none of output. */
  readonly output: number | null;
  readonly call: number;
  readonly webSearch: number;
  readonly fileSearch: number;
  readonly codeSession: number;
}

interface Ceiling {
  readonly inputTokens: number;
  readonly rules: BoundRules;
}

/** `null` when no price is known. */
export function ceilingRatesOf(table: PriceTable, request: BoundRequest, ceiling: Ceiling): CeilingRates | null {
  const { provider, model, atMs, overrides, facts } = request;
  const listed = table.find(provider, model);
  const override = findOverride(overrides, provider, model, atMs);
  const tier = facts.serviceTier ?? request.defaultTier ?? null;
  const candidates = override === null ? listedRates(listed, tier, request, ceiling) : [override.rates];
  if (candidates.length === 0) return null;
  let [input, output, call] = [0, 0, 0];
  let hasOutput = true;
  for (const rates of candidates) {
    input = Math.max(input, inputRate(rates, request, ceiling.rules));
    output = Math.max(output, outputRate(rates, facts.asksForAudio));
    call = Math.max(call, rates.call);
    hasOutput &&= rates.output !== null;
  }
  const isOwnPrice = override === null && tier !== null && listed?.tiers.has(tier) === true;
  const region = isRegional(request, listed) ? REGIONAL : ONCE;
  const unpublished = isOwnPrice ? ONCE : unpublishedTier(tier, listed);
  const [first] = candidates as [Rates];
  const fees = toolFeesOf(listed?.listId ?? '');
  const standard = listed === null ? [] : tiersAt(listed.standard, atMs);
  const published = Math.max(0, ...standard.map(({ webSearch }) => webSearch));
  const publishedCall = Math.max(0, ...standard.map((rates) => rates.call));
  const preview = listed === null ? 0 : (previewSearchFee(listed) ?? 0);
  return {
    input: times(times(input, region), unpublished),
    output: hasOutput ? times(times(output, region), unpublished) : null,
    call: Math.max(call, publishedCall, listed === null ? 0 : searchModelFee(listed, model)),
    webSearch: Math.max(first.webSearch, published, preview, fees.webSearch),
    fileSearch: Math.max(first.fileSearch, fees.fileSearch),
    codeSession: fees.codeSession,
  };
}

/** Every step by input size up to the bound, of the standard tier and of the one that may serve the call. */
function listedRates(
  listed: ModelPrices | null,
  tier: string | null,
  { atMs }: BoundRequest,
  { inputTokens }: Ceiling,
): readonly Rates[] {
  if (listed === null) return [];
  const reachable = (periods: readonly Period[]): readonly Rates[] =>
    tiersAt(periods, atMs).filter(({ above }) => above < inputTokens);
  const own = tier === null ? undefined : listed.tiers.get(tier);
  // A tier that is sought may not be had: then the standard price is charged.
  return [...reachable(listed.standard), ...(own === undefined ? [] : reachable(own))];
}

function inputRate(rates: Rates, { facts }: BoundRequest, rules: BoundRules): number {
  let most = Math.max(rates.input, rates.cacheRead);
  const writes = facts.operation === 'messages' || rules.cachesUnasked ? facts.cacheWrites : 'none';
  if (writes !== 'none') most = Math.max(most, rates.cacheWrite5m);
  if (writes === 'long') most = Math.max(most, rates.cacheWrite1h);
  const { media } = facts;
  if (media === null) return most;
  most = Math.max(most, rates.inputImage, rates.inputVideo);
  return media.sounds + media.others > 0 || media.stored ? Math.max(most, rates.inputAudio) : most;
}

/** Models that draw do so unasked; sound must be asked for. */
function outputRate(rates: Rates, asksForAudio: boolean): number {
  const most = Math.max(rates.output ?? 0, rates.outputImage ?? 0, rates.outputVideo ?? 0);
  return asksForAudio ? Math.max(most, rates.outputAudio ?? 0) : most;
}

const ONCE: Factor = [1, 1];

/** A rate times an exact factor, in whole pico-dollars, rounded up. */
function times(rate: number, [numerator, denominator]: Factor): number {
  return Math.ceil((rate * numerator) / denominator);
}

/** Anthropic may run a call in one region by a setting of the workspace: only `global` rules the surcharge out. */
function isRegional({ provider, facts }: BoundRequest, listed: ModelPrices | null): boolean {
  if (facts.operation === 'messages') return facts.region !== 'global';
  return listed?.regional === true && isRegionalEndpoint(provider);
}

/** A tier without published prices is estimated by a factor; so is its bound. */
function unpublishedTier(tier: string | null, listed: ModelPrices | null): Factor {
  const factor = tier === null ? null : tierFactor(tier, listed?.listId ?? '');
  return factor === null || factor[0] < factor[1] ? ONCE : factor;
}
