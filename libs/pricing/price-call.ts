import type { TokenCounts, MediaTokens, TokenUsage, UsagePart } from '#libs/dialects/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import {
  type AppliedRates,
  callFee,
  type EstimateReason,
  type Factor,
  ratesOf,
  webSearchFee,
} from './applied-rates.js';
import type { Rates } from './model-prices.js';
import type { PricedProvider, PriceTable } from './price-table.js';
import { searchModelFee } from './tool-fees.js';
import { PICOS_PER_NANO } from './units.js';

export interface PriceRequest {
  readonly provider: PricedProvider;
  /** The model that served the call, as named to the provider. */
  readonly model: string;
  readonly usage: TokenUsage;
  /** When the call was made: prices are dated. */
  readonly atMs: number;
  /** Pass the list of the configuration snapshot itself: it is compiled once per list. */
  readonly overrides?: readonly PriceOverride[];
}

export type PricePart = Exclude<keyof Rates, 'above' | 'guessed'> | 'codeSession';

/** One line of a bill: `count` tokens or uses at `picosPerUnit` (1e-12 USD) each. */
export interface PriceComponent {
  readonly part: PricePart;
  readonly count: number;
  readonly picosPerUnit: number;
  /** The model of a step that another model did. */
  readonly model?: string;
  /** Times this, numerator and denominator: a region's surcharge, or a tier without published prices. */
  readonly factor?: Factor;
}

export interface CallPrice {
  /** Integer nano-dollars (1e-9 USD): tokens times their factors, and fees, rounded up once. */
  readonly costNanos: number;
  /** `null`: no price is known, the cost is 0 and means nothing. */
  readonly priceVersion: string | null;
  /** Only parts that occurred. */
  readonly components: readonly PriceComponent[];
  /** Why the cost is an estimate; empty when every price in it is published or set by an admin. */
  readonly estimates: readonly EstimateReason[];
}

const UNPRICED: CallPrice = { costNanos: 0, priceVersion: null, components: [], estimates: [] };
const NO_OVERRIDES: readonly PriceOverride[] = [];

/**
 * What one call cost, exactly. An override in force wins over the table; fees it does not name stay the table's. The step by
 * input size is chosen by the whole input and holds for the whole call; a service tier has its own prices. A call that
 * was billed in several steps is priced step by step, each at its own model's rates. More cached tokens than input tokens
 * (some servers count them apart) are billed as reported. Warm ordinary calls look nothing up but two maps.
 * @throws RangeError when a count is negative, fractional, not a number or beyond the safe integers, or the cost is (above
 * nine million dollars): such usage is an upstream's mistake and must not become money.
 */
export function priceCall(table: PriceTable, request: PriceRequest): CallPrice {
  const { usage } = request;
  checkUsage(usage);
  const bill = new Bill(table, request);
  const parts = usage.details?.parts;
  if (parts === undefined) {
    if (!bill.add(usage, usage.details ?? NO_MEDIA, request.model)) return UNPRICED;
  } else {
    for (const part of parts) if (!bill.addPart(part)) return UNPRICED;
  }
  bill.addFees();
  return bill.total();
}

const NO_MEDIA: MediaTokens = {};

/** The lines of one bill under way. */
class Bill {
  readonly #table: PriceTable;
  readonly #request: PriceRequest;
  readonly #components: PriceComponent[] = [];
  readonly #estimates = new Set<EstimateReason>();
  readonly #versions = new Set<string>();
  /** Rates of the call's own model. */
  #own: AppliedRates | null = null;

  constructor(table: PriceTable, request: PriceRequest) {
    this.#table = table;
    this.#request = request;
  }

  /** Adds the tokens of one step; output that has no price at nothing, as an estimate. False when no price is known. */
  add(counts: TokenCounts, media: MediaTokens, model: string): boolean {
    const applied = this.#ratesOf(model, counts.inputTokens);
    const isOwn = model === this.#request.model;
    if (applied === null || (!isOwn && applied.rates.output === null && counts.outputTokens > 0)) return false;
    if (isOwn) this.#own = applied;
    this.#versions.add(applied.version);
    const more = { ...(isOwn ? {} : { model }), ...(applied.factor === null ? {} : { factor: applied.factor }) };
    for (const reason of applied.estimates) this.#estimates.add(reason);
    addTokens(applied.rates, counts, media, (part, count, picosPerUnit) => {
      this.#components.push({ part, count, picosPerUnit, ...more });
      if ((applied.rates.guessed as readonly PricePart[]).includes(part)) this.#estimates.add('media_price');
      if (applied.rates[part] === null) this.#estimates.add('output_price');
    });
    return true;
  }

  /** Adds a step of its own model; one that has no price is billed like the call's own. */
  addPart(part: UsagePart): boolean {
    const own = this.#request.model;
    if (this.add(part, part, part.model ?? own)) return true;
    this.#estimates.add('part_unpriced');
    return this.add(part, part, own);
  }

  addFees(): void {
    const { usage, model, provider } = this.#request;
    const applied = this.#own ?? this.#ratesOf(model, usage.inputTokens);
    if (applied === null) return;
    const { webSearchRequests, details } = usage;
    const listed = this.#table.find(provider, model);
    // Of a model that searches before every answer the fee is one of the call.
    if (webSearchRequests > 0 && (listed === null || searchModelFee(listed, model) === 0)) {
      const fee = webSearchFee(applied, listed, this.#request.atMs, details?.searchPreview === true);
      this.#addFee('webSearch', webSearchRequests, fee.picos, fee.guessed);
      if (applied.rates.webSearch === 0) this.#versions.add(this.#table.version);
    }
    const call = callFee(applied, listed, model, this.#request.atMs);
    if (call > 0) this.#addFee('call', 1, call, false);
    if (details === null) return;
    const { fileSearchRequests = 0, codeSessions = 0 } = details;
    const { fileSearch } = applied.rates;
    if (fileSearchRequests > 0) {
      this.#addFee('fileSearch', fileSearchRequests, fileSearch || applied.fees.fileSearch, fileSearch === 0);
    }
    if (codeSessions > 0)
      this.#addFee('codeSession', codeSessions, applied.fees.codeSession, applied.fees.codeSession === 0);
  }

  total(): CallPrice {
    return {
      costNanos: toNanos(this.#components),
      priceVersion: [...this.#versions].join('+'),
      components: this.#components,
      estimates: [...this.#estimates],
    };
  }

  #ratesOf(model: string, inputTokens: number): AppliedRates | null {
    const { provider, atMs, usage, overrides = NO_OVERRIDES } = this.#request;
    return ratesOf(this.#table, { provider, model, atMs, inputTokens, overrides, details: usage.details });
  }

  #addFee(part: PricePart, count: number, picosPerUnit: number, isGuess: boolean): void {
    this.#components.push({ part, count, picosPerUnit });
    if (isGuess) this.#estimates.add('tool_fee');
  }
}

const COUNTS = [
  'inputTokens',
  'cachedInputTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'outputTokens',
  'reasoningTokens',
] as const satisfies readonly (keyof TokenCounts)[];

function checkUsage(usage: TokenUsage): void {
  for (const name of COUNTS) checkCount(name, usage[name]);
  checkCount('webSearchRequests', usage.webSearchRequests);
  if (usage.details === null) return;
  for (const [name, count] of Object.entries(usage.details)) if (typeof count === 'number') checkCount(name, count);
  for (const part of usage.details.parts ?? []) {
    for (const [name, count] of Object.entries(part)) if (typeof count === 'number') checkCount(name, count);
    for (const name of COUNTS) checkCount(name, part[name]);
  }
}

function checkCount(name: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) throw new RangeError(`usage.${name} is not a count: ${count}`);
}

type AddLine = (part: Exclude<PricePart, 'codeSession'>, count: number, picosPerUnit: number) => void;

/** The formula: uncached · in + writes + reads + output · out, media apart where they have a price of their own. */
function addTokens(rates: Rates, counts: TokenCounts, media: MediaTokens, push: AddLine): void {
  const { inputAudioTokens = 0, inputImageTokens = 0, inputVideoTokens = 0 } = media;
  const { cachedAudioTokens = 0, cachedImageTokens = 0 } = media;
  const { outputAudioTokens = 0, outputImageTokens = 0, outputVideoTokens = 0 } = media;
  const cached = counts.cachedInputTokens + counts.cacheWrite5mTokens + counts.cacheWrite1hTokens;
  // Where a provider does not say which of the media were cached, no token may be billed twice: the rest of the input is all
  // that can be fresh. The dearest media are taken to be.
  let room = cached > counts.inputTokens ? Infinity : counts.inputTokens - cached;
  const fresh = (tokens: number): number => {
    const taken = Math.min(atLeast0(tokens), room);
    room -= taken;
    return taken;
  };
  const freshAudio = fresh(inputAudioTokens - cachedAudioTokens);
  const freshVideo = fresh(inputVideoTokens);
  const freshImage = fresh(inputImageTokens - cachedImageTokens);
  const freshMedia = freshAudio + freshImage + freshVideo;
  const add = (part: Exclude<keyof Rates, 'above' | 'guessed'>, count: number): void => {
    if (count > 0) push(part, count, rates[part] ?? 0);
  };
  add('input', atLeast0(counts.inputTokens - cached - freshMedia));
  add('inputAudio', freshAudio);
  add('inputImage', freshImage);
  add('inputVideo', freshVideo);
  add('cacheRead', atLeast0(counts.cachedInputTokens - cachedAudioTokens - cachedImageTokens));
  add('cacheReadAudio', cachedAudioTokens);
  add('cacheReadImage', cachedImageTokens);
  add('cacheWrite5m', counts.cacheWrite5mTokens);
  add('cacheWrite1h', counts.cacheWrite1hTokens);
  add('output', atLeast0(counts.outputTokens - outputAudioTokens - outputImageTokens - outputVideoTokens));
  add('outputAudio', outputAudioTokens);
  add('outputImage', outputImageTokens);
  add('outputVideo', outputVideoTokens);
}

function atLeast0(count: number): number {
  return count > 0 ? count : 0;
}

/** All lines times their factors, rounded up to whole nano-dollars. Leaves plain numbers only when they end. */
function toNanos(components: readonly PriceComponent[]): number {
  let picos = 0;
  let isPlain = true;
  for (const { count, picosPerUnit, factor } of components) {
    picos += count * picosPerUnit;
    if (factor !== undefined) isPlain = false;
  }
  // Every partial sum below 2^53 was exact, so the comparison is too.
  if (!isPlain || picos > Number.MAX_SAFE_INTEGER) return toNanosExactly(components);
  const rest = picos % PICOS_PER_NANO;
  return (picos - rest) / PICOS_PER_NANO + (rest > 0 ? 1 : 0);
}

function toNanosExactly(components: readonly PriceComponent[]): number {
  let numerator = 0n;
  let denominator = 1n;
  for (const { count, picosPerUnit, factor = ONCE } of components) {
    const [times, by] = [BigInt(factor[0]), BigInt(factor[1])];
    numerator = numerator * by + BigInt(count) * BigInt(picosPerUnit) * times * denominator;
    denominator *= by;
  }
  denominator *= BigInt(PICOS_PER_NANO);
  const nanos = Number((numerator + denominator - 1n) / denominator);
  if (!Number.isSafeInteger(nanos)) throw new RangeError('the cost of the call is beyond what can be counted');
  return nanos;
}

const ONCE: Factor = [1, 1];
