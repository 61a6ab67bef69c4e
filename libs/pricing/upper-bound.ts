import type { RequestFacts, ServerTool } from '#libs/dialects/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import { ceilingRatesOf, type CeilingRates } from './ceiling-rates.js';
import {
  type BoundRules,
  boundRulesOf,
  contextTokensOf,
  DEFAULT_COMPLETION_TOKENS,
  DEFAULT_OUTPUT_TOKENS,
  serverToolRule,
  USEFUL_OUTPUT_TOKENS,
} from './bound-rules.js';
import { isFreeOperation } from './free-operations.js';
import type { ModelPrices } from './model-prices.js';
import type { PricedProvider, PriceTable } from './price-table.js';
import { searchModelFee } from './tool-fees.js';
import { PICOS_PER_NANO } from './units.js';

/** Why what a call may cost has no bound, so that a hard budget must refuse it. */
export type BoundRefusal =
  /** No price is known for the model, or for one that it may hand the call to. */
  | 'unpriced'
  /** A tool that the provider runs, without a stated maximum of uses (`max_uses`, `max_tool_calls`). */
  | 'server_tool_without_maximum'
  /** A tool whose cost nobody has described. */
  | 'unknown_tool'
  /** Files or stored input of unknown length, and a model whose context size is not known. */
  | 'unbounded_input'
  /** The provider chooses by itself which model answers. */
  | 'unknown_fallback'
  /** How many answers are asked for is not stated as a positive whole number (`RequestFacts.unclearAnswers`). */
  | 'unclear_answers'
  /** Beyond nine million dollars. */
  | 'uncountable';

export interface BoundRequest {
  readonly provider: PricedProvider;
  readonly model: string;
  readonly facts: RequestFacts;
  readonly atMs: number;
  readonly overrides: readonly PriceOverride[];
  /** Tier that calls get which ask for none (OpenAI: a setting of the project); `null`: the standard one. */
  readonly defaultTier?: string | null;
  /** Learned or configured instead of the model's own factor, where a strict bound is not wanted. */
  readonly tokensPerByte?: number;
}

/** The most a call can cost. Integer nano-dollars. */
export interface UpperBound {
  /** With the shortest answer that is of use: below this a clamp makes no sense. */
  readonly minNanos: number;
  /** With as many output tokens as asked for. */
  readonly wantNanos: number;
  /** Output tokens of `wantNanos`, of each answer. */
  readonly maxTokens: number;
  /** The maximum to be sent upstream because the request states none, or a larger one than is paid for; `null`: its own. */
  readonly injectedMaxTokens: number | null;
  /** Output tokens of `minNanos`. */
  readonly leastTokens: number;
  readonly refuse: BoundRefusal | null;
  /** `costOf(tokens) = ⌈(fixedPicos + tokens × picosPerToken) / 1000⌉` nano-dollars. */
  readonly fixedPicos: number;
  readonly picosPerToken: number;
}

const WITHOUT_OUTPUT: ReadonlySet<string> = new Set(['embeddings', 'gemini_embed', 'gemini_batch_embed']);
const NOTHING: UpperBound = {
  minNanos: 0,
  wantNanos: 0,
  maxTokens: 0,
  injectedMaxTokens: null,
  leastTokens: 0,
  refuse: null,
  fixedPicos: 0,
  picosPerToken: 0,
};

/**
 * An upper bound of everything the provider bills for one call: the prompt by its bytes, media by the provider's formula at
 * its maximum, the requested output or a default that is then asked for, times the answers, at the dearest price that may
 * apply (tier, step by input size, cache writes, region), tools the provider runs by their stated maximum. A few
 * microseconds; no I/O.
 */
export function upperBound(table: PriceTable, request: BoundRequest): UpperBound {
  const { facts } = request;
  if (isFreeOperation(facts.operation)) return NOTHING;
  if (facts.unclearAnswers !== null) return refused('unclear_answers');
  const prices = table.find(request.provider, request.model);
  const rules = boundRulesOf(prices);
  if (rules.searchesUnasked) return refused('server_tool_without_maximum');
  const contextTokens = contextTokensOf(prices);
  const output = outputOf(facts, prices, contextTokens);
  const input = inputTokensOf(request, rules, contextTokens);
  if (typeof input === 'string') return refused(input);
  const steps = stepsOf(request, prices, { input, output: output.want, contextTokens });
  if (typeof steps === 'string') return refused(steps);
  const rates = ceilingRatesOf(table, request, { inputTokens: steps.inputTokens, rules });
  if (rates === null) return refused('unpriced');
  const hasOutput = !WITHOUT_OUTPUT.has(facts.operation);
  if (hasOutput && rates.output === null) return refused('unpriced');
  const outputRate = rates.output ?? 0;
  // A search whose fee nobody has looked up is not free.
  if (steps.webSearches > 0 && rates.webSearch === 0 && rates.call === 0) return refused('unknown_tool');

  let fixedPicos = steps.inputTokens * rates.input + rates.call;
  fixedPicos += steps.webSearches * rates.webSearch;
  fixedPicos += steps.fileSearches * rates.fileSearch + steps.codeSessions * rates.codeSession;
  fixedPicos += facts.predictedBytes * outputRate;
  let picosPerToken = outputRate * facts.answers;
  const longest = prices?.outputTokens ?? contextTokens ?? DEFAULT_OUTPUT_TOKENS;
  if (rules.reasonsOutside) fixedPicos += longest * outputRate * facts.answers;
  if (facts.compacts) {
    if (contextTokens === null) return refused('unbounded_input');
    fixedPicos += steps.count * (contextTokens * rates.input + longest * outputRate);
  }
  const others = otherModels(table, request, steps);
  if (typeof others === 'string') return refused(others);
  fixedPicos += others.fixedPicos;
  picosPerToken += others.picosPerToken;
  return bound(fixedPicos, picosPerToken, output);
}

/**
 * The most output tokens (of each answer) that an amount pays for; 0 when it does not pay for an answer that is of use. Never
 * more than asked for. For `clamp`: send it upstream with `maxTokensEdits`.
 */
export function affordableTokens(
  { maxTokens, leastTokens, fixedPicos, picosPerToken }: UpperBound,
  nanos: number,
): number {
  const left = nanos * PICOS_PER_NANO - fixedPicos;
  if (left < 0) return 0;
  const tokens = picosPerToken === 0 ? maxTokens : Math.min(maxTokens, Math.floor(left / picosPerToken));
  return tokens < leastTokens ? 0 : tokens;
}

/** What a call bounded so costs at most with this many output tokens, in nano-dollars. */
export function costOfTokens({ fixedPicos, picosPerToken }: UpperBound, tokens: number): number {
  return Math.ceil((fixedPicos + tokens * picosPerToken) / PICOS_PER_NANO);
}

interface Output {
  readonly want: number;
  readonly least: number;
  readonly injected: number | null;
}

function bound(fixedPicos: number, picosPerToken: number, { want, least, injected }: Output): UpperBound {
  const most = fixedPicos + want * picosPerToken;
  if (!(most <= Number.MAX_SAFE_INTEGER)) return refused('uncountable');
  const result: UpperBound = {
    ...NOTHING,
    fixedPicos,
    picosPerToken,
    maxTokens: want,
    leastTokens: least,
    injectedMaxTokens: injected,
  };
  return { ...result, minNanos: costOfTokens(result, least), wantNanos: costOfTokens(result, want) };
}

function refused(refuse: BoundRefusal): UpperBound {
  return { ...NOTHING, refuse };
}

/** What the request asks for, else the model's own maximum, which is then sent along. */
function outputOf(facts: RequestFacts, prices: ModelPrices | null, contextTokens: number | null): Output {
  if (WITHOUT_OUTPUT.has(facts.operation)) return { want: 0, least: 0, injected: null };
  const usual = facts.operation === 'completions' ? DEFAULT_COMPLETION_TOKENS : DEFAULT_OUTPUT_TOKENS;
  const injected = facts.maxTokens === null ? defaultOf(facts, prices, usual) : null;
  // No answer is longer than the context, whatever was asked for.
  const stated = facts.maxTokens ?? 0;
  const want = injected ?? Math.min(stated, contextTokens ?? Number.MAX_SAFE_INTEGER);
  const useful = facts.leastTokens === 0 ? USEFUL_OUTPUT_TOKENS : facts.leastTokens + USEFUL_OUTPUT_TOKENS;
  return { want, least: Math.min(want, useful), injected: want < stated ? want : injected };
}

function defaultOf(facts: RequestFacts, prices: ModelPrices | null, usual: number): number {
  if (facts.operation === 'completions') return usual;
  const most = Math.max(prices?.outputTokens ?? usual, facts.leastTokens);
  // Asked for under a name that the provider may not read: it is written again under the one it does.
  return facts.wishedTokens === null ? most : Math.min(most, facts.wishedTokens);
}

/** Tokens of the prompt as sent; what has no length of its own fills the context. */
function inputTokensOf(request: BoundRequest, rules: BoundRules, contextTokens: number | null): number | BoundRefusal {
  const { facts, tokensPerByte = rules.tokensPerByte } = request;
  const { media } = facts;
  let tokens = Math.ceil(facts.textBytes * tokensPerByte) + facts.idTokens + rules.overheadTokens;
  if (facts.hasTools) tokens += rules.toolOverheadTokens;
  if (media !== null) tokens += media.images * rules.imageTokens + media.sounds * (rules.soundTokens ?? 0);
  const isOpen =
    facts.storedInput ||
    (media !== null && (media.others > 0 || media.stored || (media.sounds > 0 && rules.soundTokens === null)));
  if (!isOpen) return tokens;
  return contextTokens === null ? 'unbounded_input' : Math.max(tokens, contextTokens);
}

/** What the steps of a call read and use, all together; one step where no tool of the provider is at work. */
interface Steps {
  readonly count: number;
  /** Of all steps together; a step by input size may be chosen by their sum. */
  readonly inputTokens: number;
  readonly webSearches: number;
  readonly fileSearches: number;
  readonly codeSessions: number;
  /** Per other model: how often it is asked. */
  readonly asked: readonly { readonly model: string; readonly times: number }[];
}

/** A model that searches before it answers: its fee is one of the call, what it finds is read like a tool's result. */
const OWN_SEARCH: ServerTool = { kind: 'web_search', maxUses: 1, model: null, maxContentTokens: null };

function stepsOf(
  { facts, model }: BoundRequest,
  prices: ModelPrices | null,
  size: { readonly input: number; readonly output: number; readonly contextTokens: number | null },
): Steps | BoundRefusal {
  const { input, contextTokens } = size;
  const uses = { webSearch: 0, fileSearch: 0, codeSession: 0 };
  const asked: { model: string; times: number }[] = [];
  let results = 0;
  let total = 0;
  const searchesByItself = prices !== null && searchModelFee(prices, model) > 0;
  const others = facts.serverTools.filter(({ kind }) => kind !== OWN_SEARCH.kind);
  for (const tool of searchesByItself ? [...others, OWN_SEARCH] : facts.serverTools) {
    const rule = serverToolRule(tool.kind, prices);
    if (rule === null) return 'unknown_tool';
    const times = tool.maxUses ?? rule.ownMaxUses ?? facts.maxToolCalls;
    if (times === null) return 'server_tool_without_maximum';
    total += times;
    const result = tool.maxContentTokens ?? rule.resultTokens ?? contextTokens;
    if (result === null) return 'unbounded_input';
    results = Math.max(results, result);
    if (rule.fee !== null && tool !== OWN_SEARCH) uses[rule.fee] += times * facts.answers;
    if (rule.asksModel === true && times > 0) {
      if (tool.model === null) return 'unknown_fallback';
      asked.push({ model: tool.model, times });
    }
  }
  if (facts.maxToolCalls !== null) total = Math.min(total, facts.maxToolCalls);
  // Every step reads all again: the prompt, what was written, what the tools found. No step reads more than the context.
  const grown = input + total * results + (total === 0 ? 0 : size.output);
  const largestInput = total === 0 ? input : Math.min(grown, Math.max(input, contextTokens ?? grown));
  return {
    count: total + 1,
    inputTokens: input + total * largestInput,
    webSearches: uses.webSearch,
    fileSearches: uses.fileSearch,
    codeSessions: uses.codeSession,
    asked,
  };
}

/** What models cost that the provider may bring in: advisers by their uses, fallbacks as if each answered in full. */
function otherModels(
  table: PriceTable,
  request: BoundRequest,
  steps: Steps,
): Pick<UpperBound, 'fixedPicos' | 'picosPerToken'> | BoundRefusal {
  const { fallbacks } = request.facts;
  if (fallbacks === 'unknown') return 'unknown_fallback';
  let [fixedPicos, picosPerToken] = [0, 0];
  for (const { model, times } of steps.asked) {
    const other = rates(table, request, model, steps.inputTokens);
    if (other === null || other.rates.output === null) return 'unpriced';
    const { contextTokens, outputTokens } = other;
    if (contextTokens === null) return 'unbounded_input';
    fixedPicos +=
      times * (contextTokens * other.rates.input + (outputTokens ?? DEFAULT_OUTPUT_TOKENS) * other.rates.output);
  }
  for (const model of fallbacks) {
    const other = rates(table, request, model, steps.inputTokens);
    if (other === null || other.rates.output === null) return 'unpriced';
    fixedPicos += steps.inputTokens * other.rates.input;
    picosPerToken += other.rates.output;
  }
  return { fixedPicos, picosPerToken };
}

function rates(
  table: PriceTable,
  request: BoundRequest,
  model: string,
  inputTokens: number,
): {
  readonly rates: CeilingRates;
  readonly contextTokens: number | null;
  readonly outputTokens: number | null;
} | null {
  const prices = table.find(request.provider, model);
  const found = ceilingRatesOf(table, { ...request, model }, { inputTokens, rules: boundRulesOf(prices) });
  if (found === null) return null;
  return { rates: found, contextTokens: contextTokensOf(prices), outputTokens: prices?.outputTokens ?? null };
}
