import type { ModelPriceData, PricePeriodData, PriceTierData } from './table-data.js';

/** Complete prices of one tier in pico-dollars; what the data left out is filled in as stated at `fillTier`. */
export interface Rates {
  /** The tier applies when the whole input is larger than this; -1 for the base tier. */
  readonly above: number;
  readonly input: number;
  /** `null`: the data knows no price, so a call that put out tokens cannot be priced. */
  readonly output: number | null;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly inputAudio: number;
  readonly inputImage: number;
  readonly inputVideo: number;
  readonly cacheReadAudio: number;
  readonly cacheReadImage: number;
  readonly outputAudio: number | null;
  readonly outputImage: number | null;
  readonly outputVideo: number | null;
  readonly webSearch: number;
  readonly fileSearch: number;
  readonly call: number;
  /** Media whose price the data leaves out, so that the price of text stands in: a bill with them is an estimate. */
  readonly guessed: readonly MediaPart[];
}

/** Media that cost more than text wherever their price is known. (Pictures that go in do not.) */
export type MediaPart = 'inputAudio' | 'outputAudio' | 'outputImage' | 'outputVideo';
const MEDIA_PARTS: readonly MediaPart[] = ['inputAudio', 'outputAudio', 'outputImage', 'outputVideo'];

/** Prices of a model during one span of time. */
export interface Period {
  readonly fromMs: number;
  readonly daySeconds: readonly [start: number, end: number] | null;
  /** Ascending by `above`; empty when no price is known. */
  readonly tiers: readonly Rates[];
}

/** All the table knows of one model. */
export interface ModelPrices {
  readonly listId: string;
  /** Its id in the list, which may be a family's. */
  readonly id: string;
  readonly contextTokens: number | null;
  readonly outputTokens: number | null;
  readonly regional: boolean;
  /** Standard prices, in the order of the data. */
  readonly standard: readonly Period[];
  /** Prices of other service tiers by name. */
  readonly tiers: ReadonlyMap<string, readonly Period[]>;
}

/**
 * Anthropic's rule for prompt caches (5-minute writes 1.25 ×, 1-hour writes 2 ×, reads 0.1 × the input price), used only for
 * prices the data leaves out. `writes` alone: a Claude model sold by someone else, who may not pass the cheap reads on.
 * `openai`: writes kept for 12 hours cost twice those kept for 30 minutes, where these have a price.
 */
export type CacheRule = 'anthropic' | 'writes' | 'openai' | 'none';

/** @param seller a price list or provider type · @param model in lower case */
export function cacheRuleOf(seller: string, model: string): CacheRule {
  if (seller === 'anthropic') return 'anthropic';
  if (model.includes('claude')) return 'writes';
  return seller === 'openai' || seller === 'azure' || seller === 'azure-openai' ? 'openai' : 'none';
}

/** Makes the run-time form of one model's prices. */
export function compileModelPrices(listId: string, model: ModelPriceData): ModelPrices {
  const cacheRule = cacheRuleOf(listId, model.id.toLowerCase());
  const compile = (periods: readonly PricePeriodData[]): readonly Period[] =>
    periods.map((period) => ({
      fromMs: period.from === undefined ? -Infinity : Date.parse(`${period.from}T00:00:00Z`),
      daySeconds: period.daySeconds ?? null,
      tiers: (period.tiers ?? []).map((tier) => fillTier(tier, period, cacheRule)),
    }));
  const tiers = Object.entries(model.serviceTiers ?? {});
  return {
    listId,
    id: model.id,
    contextTokens: model.contextTokens ?? null,
    outputTokens: model.outputTokens ?? null,
    regional: model.regional ?? false,
    standard: compile(model.prices),
    tiers: new Map(tiers.map(([name, periods]) => [name, compile(periods)])),
  };
}

/**
 * Fills what a tier leaves out: cache prices by Anthropic's multipliers where they hold, elsewhere at the plain input
 * price (1-hour writes at the 5-minute price); media at the price of text; fees not named are zero.
 */
export function fillTier(
  tier: PriceTierData,
  fees: Pick<PricePeriodData, 'webSearch' | 'fileSearch' | 'call'>,
  cacheRule: CacheRule,
): Rates {
  const { input } = tier;
  const cacheRead = tier.cacheRead ?? (cacheRule === 'anthropic' ? Math.ceil(input / 10) : input);
  const isClaude = cacheRule === 'anthropic' || cacheRule === 'writes';
  const cacheWrite5m = tier.cacheWrite5m ?? (isClaude ? Math.ceil((input * 5) / 4) : input);
  const longWrite = cacheRule === 'openai' && tier.cacheWrite5m !== undefined ? cacheWrite5m * 2 : cacheWrite5m;
  const output = tier.output ?? null;
  return {
    above: tier.above,
    input,
    output,
    cacheRead,
    cacheWrite5m,
    cacheWrite1h: tier.cacheWrite1h ?? (isClaude ? input * 2 : longWrite),
    inputAudio: tier.inputAudio ?? input,
    inputImage: tier.inputImage ?? input,
    inputVideo: tier.inputVideo ?? input,
    cacheReadAudio: tier.cacheReadAudio ?? cacheRead,
    cacheReadImage: tier.cacheReadImage ?? cacheRead,
    outputAudio: tier.outputAudio ?? output,
    outputImage: tier.outputImage ?? output,
    outputVideo: tier.outputVideo ?? output,
    webSearch: fees.webSearch ?? 0,
    fileSearch: fees.fileSearch ?? 0,
    call: fees.call ?? 0,
    guessed: MEDIA_PARTS.filter((part) => tier[part] === undefined),
  };
}

/** The prices in force at `atMs` for a call with that much input; `null` when none are known. */
export function ratesAt(periods: readonly Period[], atMs: number, inputTokens: number): Rates | null {
  const tiers = tiersAt(periods, atMs);
  for (let i = tiers.length - 1; i >= 0; i--) {
    const tier = tiers[i] as Rates;
    if (inputTokens > tier.above) return tier;
  }
  return null;
}

/** The steps by input size in force at `atMs`, ascending; empty when no price is known. */
export function tiersAt(periods: readonly Period[], atMs: number): readonly Rates[] {
  return periodAt(periods, atMs)?.tiers ?? [];
}

/** The last period whose condition holds; the first when none does. */
function periodAt(periods: readonly Period[], atMs: number): Period | undefined {
  for (let i = periods.length - 1; i > 0; i--) {
    const period = periods[i] as Period;
    if (period.daySeconds === null ? atMs >= period.fromMs : isWithin(period.daySeconds, atMs)) return period;
  }
  return periods[0];
}

function isWithin([start, end]: readonly [number, number], atMs: number): boolean {
  const second = (((atMs % 86_400_000) + 86_400_000) % 86_400_000) / 1000;
  return end < start ? second >= start || second < end : second >= start && second < end;
}
