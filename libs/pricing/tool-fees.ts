import type { ModelPrices } from './model-prices.js';

/**
 * Fees of tools that providers run, for what the price data leaves out. In pico-dollars per use, as published in November
 * 2026: OpenAI's pricing page (web search $10 per 1,000; with the older `web_search_preview` tool and a model that does not
 * reason $25; file search $2.50 per 1,000; a code container $0.03), Anthropic's (web search $10), Google's (grounding $14 per
 * 1,000 queries from Gemini 3 on, $35 per 1,000 answers before).
 */
export interface ToolFees {
  readonly webSearch: number;
  readonly fileSearch: number;
  readonly codeSession: number;
}

const PER_THOUSAND = 1e9;
const NO_FEES: ToolFees = { webSearch: 0, fileSearch: 0, codeSession: 0 };
const OPENAI: ToolFees = {
  webSearch: 10 * PER_THOUSAND,
  fileSearch: 2.5 * PER_THOUSAND,
  codeSession: 30 * PER_THOUSAND,
};

const FEES: Readonly<Record<string, ToolFees>> = {
  openai: OPENAI,
  azure: OPENAI,
  anthropic: { ...NO_FEES, webSearch: 10 * PER_THOUSAND },
  google: { ...NO_FEES, webSearch: 35 * PER_THOUSAND },
  demo: { ...NO_FEES, codeSession: 30 * PER_THOUSAND },
};

/** Published fees of a price list's tools; all zero for lists whose fees nobody has looked up. */
export function toolFeesOf(listId: string): ToolFees {
  return Object.hasOwn(FEES, listId) ? (FEES[listId] as ToolFees) : NO_FEES;
}

const PREVIEW_SEARCH = 25 * PER_THOUSAND;
const REASONS = /^(o\d|gpt-([5-9]|\d\d))/;

/** The fee of OpenAI's older search tool where it differs; `null` where it does not. */
export function previewSearchFee({ listId, id }: Pick<ModelPrices, 'listId' | 'id'>): number | null {
  return (listId === 'openai' || listId === 'azure') && !REASONS.test(id) ? PREVIEW_SEARCH : null;
}

/** Models that search before every answer, as OpenAI's pricing page lists them; the price data knows some of these fees. */
const SEARCH_MODELS: readonly (readonly [model: RegExp, fee: number])[] = [
  [/^gpt-4o(-mini)?-search-preview(-|$)/, PREVIEW_SEARCH],
  [/^gpt-5-search-api(-|$)/, OPENAI.webSearch],
];

/** The fee of each call of such a model; 0: it is none. @param model its name, which the data may file under another id */
export function searchModelFee({ listId }: Pick<ModelPrices, 'listId'>, model: string): number {
  if (listId !== 'openai' && listId !== 'azure') return 0;
  const name = model.trim().toLowerCase();
  return SEARCH_MODELS.find(([pattern]) => pattern.test(name))?.[1] ?? 0;
}
