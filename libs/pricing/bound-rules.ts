import type { ModelPrices } from './model-prices.js';

/**
 * What the upper bound of a call must know of a model beyond its prices, as data. Sources, November 2026: the providers'
 * documents on images (OpenAI: tiles of 170 tokens or patches times a model factor, up to 10,000 patches from GPT-5.4 on;
 * Anthropic: width × height / 750, up to 2,576 pixels a side on newer models; Gemini: 258 tokens per tile of 768 pixels, up
 * to 2,240 tokens at ultra-high resolution), on reasoning (xAI does not count it inside the maximum), on tools. Numbers
 * are rounded up; where nothing is documented they are generous guesses, marked so.
 */
export interface BoundRules {
  /** Prompt tokens per byte of the body: 1 is strict, as no tokenizer makes more tokens than bytes. */
  readonly tokensPerByte: number;
  /** Tokens a provider adds to any prompt. */
  readonly overheadTokens: number;
  /** Tokens it adds when tools are defined. */
  readonly toolOverheadTokens: number;
  /** Most tokens of one image. */
  readonly imageTokens: number;
  /** Most tokens of one piece of sound; `null`: as many as fit into the context. */
  readonly soundTokens: number | null;
  /** Reasoning is billed on top of the stated maximum: at most another full answer. */
  readonly reasonsOutside: boolean;
  /** Cache writes are made and billed without being asked for. */
  readonly cachesUnasked: boolean;
  /** The model searches by itself as often as it likes, for a fee each time. */
  readonly searchesUnasked: boolean;
}

const DEFAULTS: BoundRules = {
  tokensPerByte: 1,
  overheadTokens: 512,
  toolOverheadTokens: 512,
  imageTokens: 16_500, // a guess: the largest known of open vision models
  soundTokens: null,
  reasonsOutside: false,
  cachesUnasked: false,
  searchesUnasked: false,
};

type Rule = readonly [list: RegExp, model: RegExp, changes: Partial<BoundRules>];

/** All that match apply, later ones over earlier ones. */
const RULES: readonly Rule[] = [
  [/^(openai|azure)$/, /./, { imageTokens: 25_000, cachesUnasked: true }],
  [/^(openai|azure)$/, /^(ft:)?gpt-4o-mini/, { imageTokens: 48_200 }],
  [/^(openai|azure)$/, /^(ft:)?(gpt-4o(?!-mini)|gpt-4\.1$|gpt-4-turbo|chatgpt-4o|o1|o3)/, { imageTokens: 1_500 }],
  [/^(openai|azure)$/, /^(gpt-4\.1-(mini|nano)|gpt-5-(mini|nano)|o4-mini)/, { imageTokens: 4_000 }],
  [/^(openai|azure)$/, /^gpt-5(\.[1-3])?$/, { imageTokens: 1_500 }],
  [/^anthropic$/, /./, { toolOverheadTokens: 2_000, imageTokens: 5_000 }],
  [/./, /claude/, { toolOverheadTokens: 2_000, imageTokens: 5_000 }],
  [/^google$/, /^gemini/, { imageTokens: 4_200 }],
  [/^x-ai$/, /./, { reasonsOutside: true, imageTokens: 2_500 }],
  [/^perplexity$/, /deep-research/, { searchesUnasked: true }],
  [/^demo$/, /./, { overheadTokens: 16, toolOverheadTokens: 16, imageTokens: 1_000 }],
];

const compiled = new WeakMap<ModelPrices, BoundRules>();

/** The rules of a model the table knows, or the defaults. */
export function boundRulesOf(prices: ModelPrices | null): BoundRules {
  if (prices === null) return DEFAULTS;
  let rules = compiled.get(prices);
  if (rules === undefined) {
    rules = RULES.reduce<BoundRules>(
      (sum, [list, model, changes]) =>
        list.test(prices.listId) && model.test(prices.id) ? { ...sum, ...changes } : sum,
      DEFAULTS,
    );
    compiled.set(prices, rules);
  }
  return rules;
}

/** Output tokens that are asked for where neither the request nor the price data knows a maximum. */
export const DEFAULT_OUTPUT_TOKENS = 16_384;
/** OpenAI's legacy completions answer with 16 tokens where nothing else is asked for. */
export const DEFAULT_COMPLETION_TOKENS = 16;
/** An answer shorter than this is of no use: a call is rather refused than clamped below it. */
export const USEFUL_OUTPUT_TOKENS = 256;

/** A context that is larger than the price data says (Claude Sonnet 4 and 4.5 with their long-context beta). */
export function contextTokensOf(prices: ModelPrices | null): number | null {
  if (prices === null || prices.contextTokens === null) return null;
  return /^claude-sonnet-4-[05]/.test(prices.id) ? Math.max(prices.contextTokens, 1_000_000) : prices.contextTokens;
}

/** What a run of a provider's tool may cost beyond tokens of its own answer. */
export interface ServerToolRule {
  /** Most tokens that one run adds to the prompt of the next step; `null`: as many as fit into the context. */
  readonly resultTokens: number | null;
  readonly fee: 'webSearch' | 'fileSearch' | 'codeSession' | null;
  /** Runs it makes at most where the request cannot say so; `null`: the request must say so. */
  readonly ownMaxUses: number | null;
  /** It asks another model, named in the tool. */
  readonly asksModel?: boolean;
}

type ToolRule = readonly [kind: RegExp, rule: ServerToolRule];

/** By `type` of the tool (OpenAI, Anthropic) or its name (Gemini). A kind that is not here has no bound. */
const TOOLS: readonly ToolRule[] = [
  [/^web_search(_preview)?(_\w+)?$/, { resultTokens: 50_000, fee: 'webSearch', ownMaxUses: null }], // tokens: a guess
  [/^web_fetch_\d+$/, { resultTokens: null, fee: null, ownMaxUses: null }],
  [/^code_execution_\d+$/, { resultTokens: 25_000, fee: 'codeSession', ownMaxUses: null }], // tokens: a guess
  [/^tool_search_tool(_\w+)?$/, { resultTokens: 25_000, fee: null, ownMaxUses: null }], // tokens: a guess
  [/^advisor_\d+$/, { resultTokens: 25_000, fee: null, ownMaxUses: null, asksModel: true }],
  [/^file_search$/, { resultTokens: 50_000, fee: 'fileSearch', ownMaxUses: null }], // 50 chunks of at most 4,096 are never reached
  [/^code_interpreter$/, { resultTokens: 25_000, fee: 'codeSession', ownMaxUses: null }],
  [/^shell$/, { resultTokens: 25_000, fee: 'codeSession', ownMaxUses: null }],
  [/^(tool_search|programmatic_tool_calling)$/, { resultTokens: 25_000, fee: null, ownMaxUses: null }],
  [/^mcp$/, { resultTokens: null, fee: null, ownMaxUses: null }],
  [/^(urlContext|url_context)$/, { resultTokens: null, fee: null, ownMaxUses: 1 }],
  [/^(codeExecution|code_execution)$/, { resultTokens: 25_000, fee: null, ownMaxUses: 5 }],
];

const GROUNDING = /^(googleSearch|google_search|googleSearchRetrieval|google_search_retrieval)$/;

/** The rule of a server tool with one model; `null`: what it may cost has no bound. */
export function serverToolRule(kind: string, prices: ModelPrices | null): ServerToolRule | null {
  if (GROUNDING.test(kind)) {
    // Before Gemini 3 one fee per answer; later each query has one, and nothing limits how many there are.
    const isPerAnswer = prices !== null && /^gemini-[12]\./.test(prices.id);
    return isPerAnswer ? { resultTokens: 50_000, fee: 'webSearch', ownMaxUses: 1 } : null;
  }
  return TOOLS.find(([pattern]) => pattern.test(kind))?.[1] ?? null;
}
