import {
  anthropic as anthropicDialect,
  gemini as geminiDialect,
  openai as openaiDialect,
  REQUEST_FIELDS,
  requestFacts,
  scanObject,
  type Operation,
  type RequestFacts,
} from '#libs/dialects/index.js';
import { Dice } from '#test/fakes/dice.js';
import { chatMaximumOf, maximumRead } from '#test/fakes/maximum-read.js';
import {
  ANTHROPIC,
  COMPLETING,
  GOOGLE,
  OPENAI,
  type PricedModel as Model,
  SEARCHING,
} from '#test/fakes/priced-models.js';
import { affordableTokens, bundledPriceTable, priceCall, upperBound } from './index.js';

/**
 * The hard cap is exactly as hard as the estimate: for random realistic calls, whatever the provider then reports within its
 * own rules must not cost more than the bound. The answers are made in each dialect's shape and go through the usage
 * readers, so that a count the formula knows and the bound does not would be found.
 */

const table = bundledPriceTable();
const ROUNDS = 800;

const text = (dice: Dice): string =>
  dice.pick(['word ', 'für ', '日本語', '\n\t"', '{}']).repeat(dice.upTo(dice.pick([3, 200, 60_000])));
const DATA = 'iVBORw0KGgoAAAANSUhEUgAA'.repeat(40);

/** A call: its request, and what the provider may report for it at most. */
interface Call {
  readonly operation: Operation;
  readonly body: object;
  readonly images: number;
}

function chat(dice: Dice): Call {
  const images = dice.chance(0.2) ? 1 + dice.upTo(3) : 0;
  const parts = Array.from({ length: images }, () => ({
    type: 'image_url',
    image_url: { url: `data:image/png;base64,${DATA}` },
  }));
  const body = {
    model: 'm',
    messages: [
      { role: 'system', content: text(dice) },
      { role: 'user', content: images === 0 ? text(dice) : [{ type: 'text', text: text(dice) }, ...parts] },
    ],
    ...(dice.chance(0.7) && { [dice.pick(['max_tokens', 'max_completion_tokens'])]: 1 + dice.upTo(20_000) }),
    ...(dice.chance(0.2) && { n: 1 + dice.upTo(4) }),
    ...(dice.chance(0.4) && { service_tier: dice.pick(['auto', 'default', 'flex', 'priority', 'fast']) }),
    ...(dice.chance(0.1) && { prompt_cache_retention: '24h' }),
    ...(dice.chance(0.1) && { prediction: { type: 'content', content: text(dice).slice(0, 500) } }),
    ...(dice.chance(0.3) && { tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }] }),
  };
  return { operation: 'chat', body, images };
}

/** Legacy completions: several prompts, as text or as token ids. */
function completions(dice: Dice): Call {
  const prompts = 1 + dice.upTo(4);
  const ids = () => Array.from({ length: 1 + dice.upTo(300) }, () => dice.upTo(100_000));
  const isText = dice.chance(0.5);
  const listed = () => (isText ? text(dice).slice(0, 2000) : ids());
  const body = {
    model: 'm',
    prompt: dice.chance(0.2) ? ids() : Array.from({ length: prompts }, listed),
    ...(dice.chance(0.6) && { max_tokens: 1 + dice.upTo(2000) }),
    ...(dice.chance(0.2) && { max_completion_tokens: 1 }),
    ...(dice.chance(0.5) && { n: 1 + dice.upTo(3) }),
    ...(dice.chance(0.5) && { best_of: 1 + dice.upTo(5) }),
  };
  return { operation: 'completions', body, images: 0 };
}

/** What the provider makes of the body itself, not of our facts: each prompt has all its answers. */
function completionsAnswer(dice: Dice, { body: sent, tokens }: Sizes) {
  const body = sent as { prompt: string[] | number[] | number[][]; n?: number; best_of?: number };
  const isOne = typeof body.prompt[0] === 'number';
  const prompts: readonly unknown[] = isOne ? [body.prompt] : body.prompt;
  const size = (prompt: unknown) => (Array.isArray(prompt) ? prompt.length : Buffer.byteLength(String(prompt)));
  const prompt = prompts.reduce<number>((sum, one) => sum + dice.upTo(size(one)), 0);
  const completion = dice.upTo(prompts.length * Math.max(body.n ?? 1, body.best_of ?? 1) * tokens);
  const usage = { prompt_tokens: prompt, completion_tokens: completion };
  return openaiDialect.usageOfBody('completions', Buffer.from(JSON.stringify({ choices: [], usage })));
}

/** Models that search before they answer: what they found is read like a prompt, and cited. */
function searchingAnswer(dice: Dice, sizes: Sizes) {
  const prompt = promptTokens(dice, sizes);
  const found = dice.upTo(40_000);
  const usage = { prompt_tokens: prompt + found, completion_tokens: dice.upTo(sizes.tokens * sizes.facts.answers) };
  const annotations = dice.chance(0.7) ? [{ type: 'url_citation', url_citation: {} }] : [];
  const choices = [{ message: { content: 'x', annotations } }];
  return openaiDialect.usageOfBody('chat', Buffer.from(JSON.stringify({ choices, usage })));
}

function searching(dice: Dice): Call {
  const body = {
    model: 'm',
    messages: [{ role: 'user', content: text(dice) }],
    ...(dice.chance(0.7) && { max_tokens: 1 + dice.upTo(4000) }),
    ...(dice.chance(0.5) && { web_search_options: {} }),
  };
  return { operation: 'chat', body, images: 0 };
}

/** Arguments of an earlier call that look like media: they are read as text. */
const lookalike = (dice: Dice): object => ({
  type: 'image',
  source: { data: DATA.repeat(1 + dice.upTo(60)) },
  inlineData: { mimeType: 'image/png', data: DATA.repeat(1 + dice.upTo(60)) },
});

function responses(dice: Dice): Call {
  const tools = dice.chance(0.4)
    ? [{ type: dice.pick(['web_search', 'web_search_preview', 'file_search', 'code_interpreter']) }]
    : [];
  const body = {
    model: 'm',
    input: text(dice),
    ...(dice.chance(0.7) && {
      [dice.pick(['max_output_tokens', 'max_output_tokens', 'max_tokens'])]: 16 + dice.upTo(20_000),
    }),
    ...(tools.length > 0 && { tools, max_tool_calls: 1 + dice.upTo(4) }),
    ...(dice.chance(0.3) && { service_tier: dice.pick(['auto', 'flex', 'priority']) }),
  };
  return { operation: 'responses', body, images: 0 };
}

function messages(dice: Dice): Call {
  const caches = dice.chance(0.6);
  const ttl = dice.chance(0.4) ? { ttl: '1h' } : {};
  const block = caches ? { cache_control: { type: 'ephemeral', ...ttl } } : {};
  const images = dice.chance(0.2) ? 1 + dice.upTo(3) : 0;
  const parts = Array.from({ length: images }, () => ({
    type: 'image',
    source: { type: 'base64', media_type: 'image/png', data: DATA },
  }));
  const body = {
    model: 'm',
    max_tokens: 1 + dice.upTo(20_000),
    system: [{ type: 'text', text: text(dice), ...block }],
    messages: [
      ...(dice.chance(0.2)
        ? [{ role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: lookalike(dice) }] }]
        : []),
      { role: 'user', content: [{ type: 'text', text: text(dice) }, ...parts] },
    ],
    ...(dice.chance(0.3) && { tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: dice.upTo(4) }] }),
    ...(dice.chance(0.2) && { speed: 'fast' }),
    ...(dice.chance(0.3) && { inference_geo: dice.pick(['us', 'global']) }),
    ...(dice.chance(0.1) && { fallbacks: [{ model: 'claude-opus-4-8' }] }),
    ...(dice.chance(0.1) && { context_management: { edits: [{ type: 'compact_20260112' }] } }),
  };
  return { operation: 'messages', body, images };
}

function generate(dice: Dice): Call {
  const images = dice.chance(0.2) ? 1 + dice.upTo(3) : 0;
  const parts = Array.from({ length: images }, () => ({ inlineData: { mimeType: 'image/png', data: DATA } }));
  const body = {
    contents: [
      ...(dice.chance(0.2) ? [{ role: 'model', parts: [{ functionCall: { name: 'f', args: lookalike(dice) } }] }] : []),
      { role: 'user', parts: [{ text: text(dice) }, ...parts] },
    ],
    ...(dice.chance(0.7) && {
      generationConfig: {
        maxOutputTokens: 1 + dice.upTo(20_000),
        ...(dice.chance(0.2) && { candidateCount: 1 + dice.upTo(3) }),
      },
    }),
    ...(dice.chance(0.2) && { tools: [{ googleSearch: {} }] }),
    ...(dice.chance(0.2) && { serviceTier: dice.pick(['standard', 'flex', 'priority']) }),
  };
  return { operation: 'generate', body, images };
}

/** Tokens of the prompt: never more than bytes, plus images by formula, plus what the provider adds. */
function promptTokens(dice: Dice, { body, facts, model, images }: Sizes): number {
  const added = dice.upTo(facts.hasTools ? 800 : 300);
  return (
    // by the body itself, not by what we take for text
    dice.upTo(Buffer.byteLength(JSON.stringify(body)) - images * DATA.length) +
    images * dice.upTo(model.imageTokens) +
    (model.provider.type === 'anthropic' ? added : Math.min(added, 500))
  );
}

interface Sizes {
  readonly body: object;
  readonly facts: RequestFacts;
  readonly model: Model;
  readonly images: number;
  readonly tokens: number;
}

const usesOf = (facts: RequestFacts): number => {
  const stated = facts.serverTools.reduce((sum, { maxUses }) => sum + (maxUses ?? facts.maxToolCalls ?? 1), 0);
  return facts.maxToolCalls === null ? stated : Math.min(stated, facts.maxToolCalls);
};

function chatAnswer(dice: Dice, sizes: Sizes) {
  const { facts, model, tokens } = sizes;
  const prompt = promptTokens(dice, sizes);
  const isXai = model.provider.baseUrl?.includes('x.ai') === true;
  const completion = dice.upTo(tokens * facts.answers) + dice.upTo(facts.predictedBytes);
  const outside = isXai ? dice.upTo(100_000) : 0;
  const cached = dice.upTo(prompt);
  const written = dice.upTo(prompt - cached);
  const tier = dice.chance(0.5) ? 'default' : (facts.serviceTier ?? 'default');
  const usage = {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion + outside,
    prompt_tokens_details: {
      cached_tokens: cached,
      image_tokens: dice.upTo(prompt - cached - written) * Math.sign(sizes.images),
      ...(model.provider.type === 'openai' && {
        cache_write_tokens: written,
        ...(facts.cacheWrites === 'long' && { cache_write_tokens_details: { ttl_12h_tokens: dice.upTo(written) } }),
      }),
    },
    completion_tokens_details: { reasoning_tokens: outside },
  };
  return openaiDialect.usageOfBody(
    'chat',
    Buffer.from(JSON.stringify({ choices: [], usage, service_tier: tier === 'fast' ? 'priority' : tier })),
  );
}

function responsesAnswer(dice: Dice, sizes: Sizes) {
  const { facts, tokens } = sizes;
  const uses = usesOf(facts);
  let input = promptTokens(dice, sizes);
  const context = Math.max(input, table.find(sizes.model.provider, sizes.model.model)?.contextTokens ?? Infinity);
  for (let step = 0; step < uses; step++)
    input += Math.min(context, promptTokens(dice, sizes) + dice.upTo(step * 20_000) + dice.upTo(tokens));
  const kind = facts.serverTools[0]?.kind ?? '';
  const item = kind.startsWith('web_search')
    ? { type: 'web_search_call', status: 'completed', action: { type: 'search' } }
    : kind === 'file_search'
      ? { type: 'file_search_call' }
      : { type: 'code_interpreter_call', container_id: 'c' };
  const answer = {
    service_tier: dice.chance(0.5) ? 'default' : (facts.serviceTier ?? 'default'),
    output: Array.from({ length: dice.upTo(uses) }, (_, i) =>
      item.type === 'code_interpreter_call' ? { ...item, container_id: `c${i}` } : item,
    ),
    tools: facts.serverTools.map((tool) => ({ type: tool.kind })),
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: dice.upTo(input) },
      output_tokens: dice.upTo(tokens),
    },
  };
  return openaiDialect.usageOfBody('responses', Buffer.from(JSON.stringify(answer)));
}

function messagesAnswer(dice: Dice, sizes: Sizes) {
  const { facts, model, tokens } = sizes;
  const uses = usesOf(facts);
  const step = (index: number, most: number) => {
    const input = promptTokens(dice, sizes) + dice.upTo(index * 30_000) + (index === 0 ? 0 : dice.upTo(tokens));
    const read = dice.upTo(input);
    const written = facts.cacheWrites === 'none' ? 0 : dice.upTo(input - read);
    const long = facts.cacheWrites === 'long' ? dice.upTo(written) : 0;
    return {
      type: 'message',
      input_tokens: input - read - written,
      cache_read_input_tokens: read,
      cache_creation_input_tokens: written,
      cache_creation: { ephemeral_1h_input_tokens: long, ephemeral_5m_input_tokens: written - long },
      output_tokens: dice.upTo(most),
    };
  };
  const output = dice.upTo(tokens);
  const steps = Array.from({ length: 1 + dice.upTo(uses) }, (_, index) => step(index, index === 0 ? output : 0));
  const sum = (name: 'input_tokens' | 'cache_read_input_tokens' | 'cache_creation_input_tokens' | 'output_tokens') =>
    steps.reduce((all, one) => all + one[name], 0);
  const long = steps.reduce((all, one) => all + one.cache_creation.ephemeral_1h_input_tokens, 0);
  const isFallback = facts.fallbacks.length > 0 && dice.chance(0.5);
  const more = [
    ...(facts.compacts ? [{ ...step(0, 30_000), type: 'compaction' }] : []),
    ...(isFallback ? [{ ...step(0, tokens), type: 'fallback_message', model: facts.fallbacks[0] }] : []),
  ];
  const usage = {
    input_tokens: sum('input_tokens'),
    cache_read_input_tokens: sum('cache_read_input_tokens'),
    cache_creation_input_tokens: sum('cache_creation_input_tokens'),
    cache_creation: { ephemeral_1h_input_tokens: long },
    output_tokens: sum('output_tokens'),
    server_tool_use: { web_search_requests: dice.upTo(uses) },
    speed: facts.serviceTier === 'fast' && dice.chance(0.7) ? 'fast' : 'standard',
    inference_geo: facts.region === 'global' ? 'global' : dice.pick(['us', 'global', 'not_available']),
    ...(more.length > 0 && { iterations: [...steps.map((one) => ({ ...one, model: null })), ...more] }),
  };
  void model;
  return anthropicDialect.usageOfBody('messages', Buffer.from(JSON.stringify({ type: 'message', usage })));
}

function generateAnswer(dice: Dice, sizes: Sizes) {
  const { facts, model, tokens } = sizes;
  const prompt = promptTokens(dice, sizes);
  const output = dice.upTo(tokens * facts.answers);
  const thoughts = dice.upTo(output);
  const isSearch = facts.serverTools.length > 0 && dice.chance(0.7);
  const answer = {
    candidates: [{ groundingMetadata: isSearch ? { webSearchQueries: ['a', 'b', 'c'] } : {} }],
    modelVersion: model.model,
    usageMetadata: {
      promptTokenCount: prompt,
      cachedContentTokenCount: dice.upTo(prompt),
      toolUsePromptTokenCount: isSearch ? dice.upTo(20_000) : 0,
      candidatesTokenCount: output - thoughts,
      thoughtsTokenCount: thoughts,
      promptTokensDetails: [{ modality: 'IMAGE', tokenCount: sizes.images > 0 ? dice.upTo(prompt) : 0 }],
      candidatesTokensDetails: model.model.endsWith('image')
        ? [{ modality: 'IMAGE', tokenCount: output - thoughts }]
        : [],
    },
  };
  const usage = geminiDialect.usageOfBody('generate', Buffer.from(JSON.stringify(answer)));
  const tier = facts.serviceTier;
  return usage === null || tier === null || dice.chance(0.3)
    ? usage
    : { ...usage, details: { ...usage.details, serviceTier: tier } };
}

const KINDS = [
  ['chat', OPENAI, chat, chatAnswer],
  ['completions', COMPLETING, completions, completionsAnswer],
  ['searching chat', SEARCHING, searching, searchingAnswer],
  ['responses', OPENAI.slice(0, 11), responses, responsesAnswer],
  ['messages', ANTHROPIC, messages, messagesAnswer],
  ['generate', GOOGLE, generate, generateAnswer],
] as const;

describe('the bound holds', () => {
  it.each(KINDS)(
    'KEY-4: no random %s call costs more than its bound, at any maximum the money buys',
    (name, models, request, answer) => {
      const dice = new Dice(0x5eed + name.length);
      const factors: number[] = [];
      let refusals = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const { operation, body, images } = request(dice);
        const model = dice.pick(models);
        const bytes = Buffer.from(JSON.stringify(body));
        const dialect = operation === 'messages' ? 'anthropic' : operation === 'generate' ? 'gemini' : 'openai';
        const facts = requestFacts(operation, bytes, scanObject(bytes, REQUEST_FIELDS[dialect]), chatMaximumOf(model));
        const atMs = Date.UTC(2026, 10, 1) + Math.floor(dice.next() * 20 * 86_400_000);
        const bound = upperBound(table, { provider: model.provider, model: model.model, facts, atMs, overrides: [] });
        if (bound.refuse !== null) {
          refusals += 1;
          continue;
        }
        // What is sent upstream: all that was asked for, or what some amount of money buys.
        const nanos = dice.chance(0.5)
          ? bound.wantNanos
          : Math.floor(bound.minNanos + dice.next() * (bound.wantNanos - bound.minNanos));
        const affordable = affordableTokens(bound, nanos);
        expect(affordable).toBeGreaterThanOrEqual(bound.leastTokens);
        const isClamped = nanos < bound.wantNanos;
        const tokens = maximumRead(model, operation, bytes, isClamped ? affordable : bound.injectedMaxTokens);
        expect(tokens).toBeLessThanOrEqual(affordable);
        const usage = answer(dice, { body, facts, model, images, tokens });
        if (usage === null) throw new Error('the answer has no usage');
        const price = priceCall(table, { provider: model.provider, model: model.model, usage, atMs });
        if (price.costNanos > nanos) {
          throw new Error(
            `${model.model}: billed ${price.costNanos}, bound ${nanos}\n${JSON.stringify({ body: JSON.stringify(body).slice(0, 600), usage, price, bound }, null, 1)}`,
          );
        }
        if (bound.wantNanos > 0) factors.push(price.costNanos / nanos);
      }
      expect(refusals).toBeLessThan(ROUNDS / 4);
      // The bound is reached now and then, or the test would prove nothing.
      expect(Math.max(...factors)).toBeGreaterThan(0.6);
    },
  );
});
