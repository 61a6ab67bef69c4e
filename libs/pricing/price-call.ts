import type { TokenUsage } from '#libs/dialects/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import { type Rates, ratesAt } from './model-prices.js';
import { findOverride } from './overrides.js';
import type { PricedProvider, PriceTable } from './price-table.js';
import { PICOS_PER_NANO } from './units.js';

/** Tokens of other media inside the totals of a `TokenUsage`, where a dialect reports them. All are token counts. */
export interface MediaTokens {
  readonly inputAudioTokens?: number;
  readonly inputImageTokens?: number;
  readonly inputVideoTokens?: number;
  /** Part of both `inputAudioTokens` and `cachedInputTokens`. */
  readonly cachedAudioTokens?: number;
  /** Part of both `inputImageTokens` and `cachedInputTokens`. */
  readonly cachedImageTokens?: number;
  readonly outputAudioTokens?: number;
  readonly outputImageTokens?: number;
  readonly outputVideoTokens?: number;
}

/** Exact factors on the whole price of a call, numerator and denominator. */
const FACTORS = {
  /** Batch interfaces of OpenAI, Anthropic and Google. */
  batch: [1, 2],
  /** Anthropic `inference_geo: "us"`. */
  us_only: [11, 10],
} as const satisfies Record<string, readonly [number, number]>;
export type PriceFactor = keyof typeof FACTORS;

export interface PriceRequest {
  readonly provider: PricedProvider;
  /** The model that served the call, as named to the provider. */
  readonly model: string;
  readonly usage: TokenUsage;
  /** When the call was made: prices are dated. */
  readonly atMs: number;
  /** Pass the list of the configuration snapshot itself: it is compiled once per list. */
  readonly overrides?: readonly PriceOverride[];
  readonly media?: MediaTokens;
  readonly factors?: readonly PriceFactor[];
}

export type PricePart = Exclude<keyof Rates, 'above'>;

/** One line of a bill: `count` tokens or uses at `picosPerUnit` (1e-12 USD) each. */
export interface PriceComponent {
  readonly part: PricePart;
  readonly count: number;
  readonly picosPerUnit: number;
}

export interface CallPrice {
  /** Integer nano-dollars (1e-9 USD): the sum of the components, times the factors, rounded up once. */
  readonly costNanos: number;
  /** `null`: no price is known, the cost is 0 and means nothing. */
  readonly priceVersion: string | null;
  /** Only parts that occurred. */
  readonly components: readonly PriceComponent[];
}

const UNPRICED: CallPrice = { costNanos: 0, priceVersion: null, components: [] };

/**
 * What one call cost, exactly. An override in force wins over the table; as it names no fee for searches, the table's
 * fee stays. The tier is chosen by the whole input and holds for the whole call. More cached tokens than input tokens
 * (some servers count them apart) are billed as reported. Warm calls look nothing up but two maps.
 * @throws RangeError when a count is negative, fractional, not a number or beyond the safe integers, or the cost is (above
 * nine million dollars): such usage is an upstream's mistake and must not become money.
 */
export function priceCall(table: PriceTable, request: PriceRequest): CallPrice {
  const { provider, model, usage, atMs, overrides = NO_OVERRIDES } = request;
  checkCounts(usage, request.media);
  const override = findOverride(overrides, provider, model, atMs);
  const needsTable = override === null || usage.webSearchRequests > 0;
  const prices = needsTable ? table.find(provider, model) : null;
  const listed = prices === null ? null : ratesAt(prices, atMs, usage.inputTokens);
  const rates = override === null ? listed : withSearchFee(override.rates, listed);
  if (rates === null || (rates.output === null && usage.outputTokens > 0)) return UNPRICED;
  const components = bill(rates, usage, request.media);
  return {
    costNanos: toNanos(components, request.factors ?? []),
    priceVersion:
      override === null ? table.version : needsTable ? `${override.version}+${table.version}` : override.version,
    components,
  };
}

const NO_OVERRIDES: readonly PriceOverride[] = [];

function withSearchFee(rates: Rates, listed: Rates | null): Rates {
  return listed === null ? rates : { ...rates, webSearch: listed.webSearch };
}

const COUNTS = [
  'inputTokens',
  'cachedInputTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'outputTokens',
  'reasoningTokens',
  'webSearchRequests',
] as const satisfies readonly (keyof TokenUsage)[];

function checkCounts(usage: TokenUsage, media: MediaTokens | undefined): void {
  for (const name of COUNTS) checkCount(name, usage[name]);
  if (media !== undefined) for (const [name, count] of Object.entries(media)) checkCount(name, (count ?? 0) as number);
}

function checkCount(name: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`usage.${name} is not a count: ${count}`);
}

/** The formula: uncached · in + writes + reads + output · out + uses, media apart where they have a price of their own. */
function bill(rates: Rates, usage: TokenUsage, media: MediaTokens = {}): PriceComponent[] {
  const { inputAudioTokens = 0, inputImageTokens = 0, inputVideoTokens = 0 } = media;
  const { cachedAudioTokens = 0, cachedImageTokens = 0 } = media;
  const { outputAudioTokens = 0, outputImageTokens = 0, outputVideoTokens = 0 } = media;
  const freshAudio = atLeast0(inputAudioTokens - cachedAudioTokens);
  const freshImage = atLeast0(inputImageTokens - cachedImageTokens);
  const cached = usage.cachedInputTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens;
  const freshMedia = freshAudio + freshImage + inputVideoTokens;
  const components: PriceComponent[] = [];
  const add = (part: PricePart, count: number): void => {
    if (count > 0) components.push({ part, count, picosPerUnit: rates[part] ?? 0 });
  };
  add('input', atLeast0(usage.inputTokens - cached - freshMedia));
  add('inputAudio', freshAudio);
  add('inputImage', freshImage);
  add('inputVideo', inputVideoTokens);
  add('cacheRead', atLeast0(usage.cachedInputTokens - cachedAudioTokens - cachedImageTokens));
  add('cacheReadAudio', cachedAudioTokens);
  add('cacheReadImage', cachedImageTokens);
  add('cacheWrite5m', usage.cacheWrite5mTokens);
  add('cacheWrite1h', usage.cacheWrite1hTokens);
  add('output', atLeast0(usage.outputTokens - outputAudioTokens - outputImageTokens - outputVideoTokens));
  add('outputAudio', outputAudioTokens);
  add('outputImage', outputImageTokens);
  add('outputVideo', outputVideoTokens);
  add('webSearch', usage.webSearchRequests);
  if (rates.call > 0) add('call', 1);
  return components;
}

function atLeast0(count: number): number {
  return count > 0 ? count : 0;
}

/** Sum of the components times the factors, rounded up to whole nano-dollars. Leaves plain numbers only when they end. */
function toNanos(components: readonly PriceComponent[], factors: readonly PriceFactor[]): number {
  let picos = 0;
  for (const { count, picosPerUnit } of components) picos += count * picosPerUnit;
  // Every partial sum below 2^53 was exact, so the comparison is too.
  if (picos > Number.MAX_SAFE_INTEGER || factors.length > 0) return toNanosExactly(components, factors);
  const rest = picos % PICOS_PER_NANO;
  return (picos - rest) / PICOS_PER_NANO + (rest > 0 ? 1 : 0);
}

function toNanosExactly(components: readonly PriceComponent[], factors: readonly PriceFactor[]): number {
  let numerator = 0n;
  let denominator = BigInt(PICOS_PER_NANO);
  for (const { count, picosPerUnit } of components) numerator += BigInt(count) * BigInt(picosPerUnit);
  for (const factor of factors) {
    numerator *= BigInt(FACTORS[factor][0]);
    denominator *= BigInt(FACTORS[factor][1]);
  }
  const nanos = Number((numerator + denominator - 1n) / denominator);
  if (!Number.isSafeInteger(nanos)) throw new RangeError('the cost of the call is beyond what can be counted');
  return nanos;
}
