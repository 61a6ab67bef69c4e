/** The committed price table `price-table.gen.json`, made by `tools/prices/compile.mjs`. Numbers are pico-dollars per unit. */
export interface PriceTableData {
  /** Date of the last change of content and a digest of it, e.g. `2026-11-21.0f3a…`; stored with every priced call. */
  readonly version: string;
  readonly source: string;
  readonly unit: 'pico-dollars';
  readonly providers: Readonly<Record<string, ProviderPriceData>>;
}

export interface ProviderPriceData {
  /** Pattern of this provider's base addresses, matched from the start. */
  readonly api: string;
  /** Price lists asked next when this one does not know a model (Azure sells OpenAI's models). */
  readonly fallback?: readonly string[];
  readonly models: readonly ModelPriceData[];
}

export interface ModelPriceData {
  readonly id: string;
  /** Size of the context window in tokens, where the source knows it. */
  readonly contextTokens?: number;
  /** Most tokens one answer may have, where a source knows it. */
  readonly outputTokens?: number;
  /** Costs a tenth more on regional endpoints (OpenAI). */
  readonly regional?: true;
  readonly match: MatchRule;
  /** In the order of the source: the last entry whose condition holds is in force, the first has none. */
  readonly prices: readonly PricePeriodData[];
  /** Complete prices of other service tiers, by the name an answer gives them. */
  readonly serviceTiers?: Readonly<Record<string, readonly PricePeriodData[]>>;
}

export type MatchRule =
  | { readonly or: readonly MatchRule[] }
  | { readonly and: readonly MatchRule[] }
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly ends_with: string }
  | { readonly contains: string }
  | { readonly regex: string };

export interface PricePeriodData {
  /** In force from this UTC day on. */
  readonly from?: string;
  /** In force between these seconds of the UTC day; the second may be smaller (over midnight). */
  readonly daySeconds?: readonly [start: number, end: number];
  /** Ascending; the last one whose `above` is below the call's whole input applies to the whole call. `null`: no price known. */
  readonly tiers: readonly PriceTierData[] | null;
  readonly webSearch?: number;
  readonly fileSearch?: number;
  /** Charged once per call. */
  readonly call?: number;
}

export interface PriceTierData {
  /** Input tokens that must be exceeded; -1 for the base tier. */
  readonly above: number;
  readonly input: number;
  readonly output?: number;
  readonly cacheRead?: number;
  readonly cacheWrite5m?: number;
  readonly cacheWrite1h?: number;
  readonly inputAudio?: number;
  readonly inputImage?: number;
  readonly inputVideo?: number;
  readonly cacheReadAudio?: number;
  readonly cacheReadImage?: number;
  readonly outputAudio?: number;
  readonly outputImage?: number;
  readonly outputVideo?: number;
}
