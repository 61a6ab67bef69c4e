import { REQUEST_FIELDS, requestFacts, scanObject, type Operation, type RequestFacts } from '#libs/dialects/index.js';
import type { PriceOverride } from '#libs/platform/config.js';
import {
  affordableTokens,
  bundledPriceTable,
  costOfTokens,
  type PricedProvider,
  upperBound,
  type UpperBound,
} from './index.js';

const table = bundledPriceTable();
const NOVEMBER = Date.UTC(2026, 10, 15, 12);
const openai: PricedProvider = { name: 'openai', type: 'openai', baseUrl: 'https://api.openai.com/v1' };
const anthropic: PricedProvider = { name: 'anthropic', type: 'anthropic', baseUrl: 'https://api.anthropic.com' };
const google: PricedProvider = { name: 'google', type: 'google', baseUrl: 'https://generativelanguage.googleapis.com' };
const local: PricedProvider = { name: 'local', type: 'openai-compatible', baseUrl: 'http://127.0.0.1:9/v1' };

function factsOf(operation: Operation, body: object): RequestFacts {
  const bytes = Buffer.from(JSON.stringify(body));
  const dialect = operation === 'messages' ? 'anthropic' : operation.includes('generate') ? 'gemini' : 'openai';
  return requestFacts(operation, bytes, scanObject(bytes, REQUEST_FIELDS[dialect]));
}

interface More {
  readonly overrides?: readonly PriceOverride[];
  readonly defaultTier?: string;
  readonly tokensPerByte?: number;
}
function boundOf(
  provider: PricedProvider,
  model: string,
  operation: Operation,
  body: object,
  more: More = {},
): UpperBound {
  const facts = factsOf(operation, body);
  return upperBound(table, { provider, model, facts, atMs: NOVEMBER, overrides: [], ...more });
}

const say = (content: unknown) => ({ messages: [{ role: 'user', content }] });

describe('upperBound', () => {
  it('KEY-4: the prompt by its bytes and the requested output, at the price of the model', () => {
    const body = { model: 'gpt-4o', ...say('x'.repeat(1000)), max_tokens: 500 };
    const bytes = Buffer.byteLength(JSON.stringify(body));
    const bound = boundOf(openai, 'gpt-4o', 'chat', body);
    // gpt-4o: 2.50 in, 10 out; 512 tokens may be added by the provider
    expect(bound.wantNanos).toBe((bytes + 512) * 2500 + 500 * 10_000);
    expect(bound.minNanos).toBe((bytes + 512) * 2500 + 256 * 10_000);
    expect(bound).toMatchObject({ maxTokens: 500, leastTokens: 256, injectedMaxTokens: null, refuse: null });
  });

  it('KEY-4: without a maximum the model’s own is asked for', () => {
    expect(boundOf(openai, 'gpt-4o', 'chat', say('x'))).toMatchObject({ injectedMaxTokens: 16_384, maxTokens: 16_384 });
    expect(boundOf(anthropic, 'claude-sonnet-5', 'messages', say('x'))).toMatchObject({ injectedMaxTokens: 128_000 });
    expect(boundOf(openai, 'gpt-3.5-turbo-instruct', 'completions', { prompt: 'x' })).toMatchObject({
      injectedMaxTokens: 16,
    });
    expect(boundOf(openai, 'gpt-4o', 'chat', { ...say('x'), max_tokens: -1 })).toMatchObject({
      injectedMaxTokens: 16_384,
    });
  });

  it('KEY-4: a thinking budget is never clamped away', () => {
    const bound = boundOf(anthropic, 'claude-sonnet-4-5', 'messages', {
      ...say('x'),
      max_tokens: 20_000,
      thinking: { type: 'enabled', budget_tokens: 10_000 },
    });
    expect(bound.leastTokens).toBe(10_001 + 256);
    expect(affordableTokens(bound, costOfTokens(bound, 10_000))).toBe(0);
  });

  it('KEY-4: several answers are several outputs and one prompt', () => {
    const one = boundOf(openai, 'gpt-4o', 'chat', { ...say('x'), max_tokens: 100, n: 1 });
    const five = boundOf(openai, 'gpt-4o', 'chat', { ...say('x'), max_tokens: 100, n: 5 });
    expect(five.wantNanos - one.wantNanos).toBe(4 * 100 * 10_000);
  });

  it('KEY-4: cache writes of Anthropic are bounded at their price only where the request has breakpoints', () => {
    const body = (block: object) => ({
      max_tokens: 1,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'x', ...block }] }],
    });
    const input = (block: object) => boundOf(anthropic, 'claude-opus-5', 'messages', body(block)).fixedPicos;
    const size = (block: object) => Buffer.byteLength(JSON.stringify(body(block))) + 512;
    // 5 in, 6.25 and 10 written; a tenth more where the region is left open
    expect(input({})).toBe(size({}) * 5_500_000);
    const short = { cache_control: { type: 'ephemeral' } };
    expect(input(short)).toBe(size(short) * 6_875_000);
    const long = { cache_control: { type: 'ephemeral', ttl: '1h' } };
    expect(input(long)).toBe(size(long) * 11_000_000);
    const global = { ...body({}), inference_geo: 'global' };
    expect(boundOf(anthropic, 'claude-opus-5', 'messages', global).picosPerToken).toBe(25_000_000);
  });

  it('KEY-4: a step by input size counts as soon as the bound may reach it', () => {
    const cheap = boundOf(openai, 'gpt-5.5', 'chat', { ...say('x'.repeat(270_000)), max_tokens: 1000 });
    const dear = boundOf(openai, 'gpt-5.5', 'chat', { ...say('x'.repeat(272_000)), max_tokens: 1000 });
    expect([cheap.picosPerToken, dear.picosPerToken]).toEqual([30_000_000, 45_000_000]);
  });

  it('KEY-4: the tier asked for, or the project’s, is bounded at its price, never below the standard one', () => {
    const output = (body: object, more: More = {}) =>
      boundOf(openai, 'gpt-5', 'chat', { ...say('x'), max_tokens: 10, ...body }, more).picosPerToken;
    expect(output({})).toBe(10_000_000);
    expect(output({ service_tier: 'priority' })).toBe(20_000_000);
    expect(output({ service_tier: 'flex' })).toBe(10_000_000);
    expect(output({}, { defaultTier: 'priority' })).toBe(20_000_000);
    expect(output({ service_tier: 'auto' }, { defaultTier: 'priority' })).toBe(20_000_000);
    // no published price: the factor of the estimate
    expect(
      boundOf(openai, 'gpt-4-turbo', 'chat', { ...say('x'), max_tokens: 1, service_tier: 'priority' }).picosPerToken,
    ).toBe(60_000_000);
  });

  it('KEY-4: an image is bounded by its formula, not by its base64', () => {
    const data = 'A'.repeat(400_000);
    const body = {
      ...say([{ type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } }]),
      max_tokens: 1,
    };
    const bytes = Buffer.byteLength(JSON.stringify(body)) - data.length;
    expect(boundOf(openai, 'gpt-4o', 'chat', body).fixedPicos).toBe((bytes + 512 + 1500) * 2_500_000);
  });

  it('KEY-4: files of unknown length fill the context', () => {
    const body = {
      ...say([{ type: 'document', source: { type: 'url', url: 'https://x.test/a.pdf' } }]),
      max_tokens: 1,
    };
    expect(boundOf(anthropic, 'claude-haiku-4-5', 'messages', body).fixedPicos).toBe(200_000 * 1_100_000);
    expect(
      boundOf(openai, 'gpt-5.5', 'responses', { input: 'x', previous_response_id: 'r', max_output_tokens: 1 })
        .fixedPicos,
    ).toBe(1_000_000 * 10_000_000);
  });

  it('KEY-4: server tools by their stated maximum: fees, and every step reads all again', () => {
    const tool = { type: 'web_search_20250305', name: 'web_search' };
    const body = { ...say('x'), max_tokens: 1000 };
    const plain = boundOf(anthropic, 'claude-haiku-4-5', 'messages', body);
    const two = boundOf(anthropic, 'claude-haiku-4-5', 'messages', { ...body, tools: [{ ...tool, max_uses: 2 }] });
    const bytes = Buffer.byteLength(JSON.stringify({ ...body, tools: [{ ...tool, max_uses: 2 }] })) + 512 + 2000;
    const later = bytes + 2 * 50_000 + 1000;
    expect(two.fixedPicos).toBe((bytes + 2 * later) * 1_100_000 + 2 * 10e9);
    expect(two.picosPerToken).toBe(plain.picosPerToken);
    expect(boundOf(anthropic, 'claude-haiku-4-5', 'messages', { ...body, tools: [tool] }).refuse).toBe(
      'server_tool_without_maximum',
    );
    expect(boundOf(openai, 'gpt-5', 'responses', { input: 'x', tools: [{ type: 'web_search' }] }).refuse).toBe(
      'server_tool_without_maximum',
    );
    expect(
      boundOf(openai, 'gpt-5', 'responses', { input: 'x', tools: [{ type: 'web_search' }], max_tool_calls: 1 }).refuse,
    ).toBeNull();
    expect(
      boundOf(openai, 'gpt-5', 'responses', { input: 'x', tools: [{ type: 'future_tool' }], max_tool_calls: 1 }).refuse,
    ).toBe('unknown_tool');
    expect(
      boundOf(google, 'gemini-2.5-flash', 'generate', { contents: [], tools: [{ googleSearch: {} }] }).refuse,
    ).toBeNull();
    expect(
      boundOf(google, 'gemini-3.1-pro-preview', 'generate', { contents: [], tools: [{ googleSearch: {} }] }).refuse,
    ).toBe('unknown_tool');
  });

  it('KEY-4: what other models may add is bounded at their prices', () => {
    const body = { ...say('x'), max_tokens: 1000 };
    const fallback = boundOf(anthropic, 'claude-haiku-4-5', 'messages', {
      ...body,
      fallbacks: [{ model: 'claude-opus-5' }],
    });
    expect(fallback.picosPerToken).toBe(5_500_000 + 27_500_000);
    expect(boundOf(anthropic, 'claude-haiku-4-5', 'messages', { ...body, fallbacks: 'default' }).refuse).toBe(
      'unknown_fallback',
    );
    expect(
      boundOf(anthropic, 'claude-haiku-4-5', 'messages', { ...body, fallbacks: [{ model: 'nobody' }] }).refuse,
    ).toBe('unpriced');
    const advised = boundOf(anthropic, 'claude-haiku-4-5', 'messages', {
      ...body,
      tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-opus-5', max_uses: 1 }],
    });
    expect(advised.wantNanos).toBeGreaterThan(1_000_000 * 5000 + 128_000 * 25_000);
    const compacted = boundOf(anthropic, 'claude-haiku-4-5', 'messages', {
      ...body,
      context_management: { edits: [{ type: 'compact_20260112' }] },
    });
    expect(compacted.wantNanos).toBeGreaterThan(200_000 * 1000 + 64_000 * 5000);
  });

  it('KEY-4: reasoning that a provider does not count inside the maximum is added', () => {
    const xai: PricedProvider = { name: 'x', type: 'openai-compatible', baseUrl: 'https://api.x.ai/v1' };
    const bound = boundOf(xai, 'grok-3-mini', 'chat', { ...say('x'), max_tokens: 10 });
    expect(bound.wantNanos).toBeGreaterThan(100_000 * 500);
  });

  it('KEY-4: what has no price or no bound is refused by reason', () => {
    expect(boundOf(local, 'llama', 'chat', say('x')).refuse).toBe('unpriced');
    const overrides: PriceOverride[] = [
      {
        provider: 'local',
        model: 'llama',
        inputUsd: 1,
        outputUsd: 2,
        cachedInputUsd: null,
        cacheWrite5mUsd: null,
        cacheWrite1hUsd: null,
        fromMs: 0,
      },
    ];
    expect(boundOf(local, 'llama', 'chat', say('x'), { overrides })).toMatchObject({
      refuse: null,
      injectedMaxTokens: 16_384,
    });
    const file = say([{ type: 'file', file: { file_id: 'f' } }]);
    expect(boundOf(local, 'llama', 'chat', file, { overrides }).refuse).toBe('unbounded_input');
    expect(boundOf(openai, 'o1-pro', 'chat', { ...say('x'), max_tokens: 1e9, n: 1_000_000 }).refuse).toBe(
      'uncountable',
    );
    const perplexity: PricedProvider = { name: 'p', type: 'openai-compatible', baseUrl: 'https://api.perplexity.ai' };
    expect(boundOf(perplexity, 'sonar-deep-research', 'chat', say('x')).refuse).toBe('server_tool_without_maximum');
  });

  it('KEY-4: an absurd maximum is as long as the context, and a clamp brings it down to what is there', () => {
    const bound = boundOf(openai, 'gpt-4o', 'chat', { ...say('x'), max_tokens: 999_999_999 });
    expect(bound.maxTokens).toBe(128_000);
    expect(affordableTokens(bound, bound.wantNanos)).toBe(128_000);
    expect(affordableTokens(bound, bound.wantNanos - 1)).toBe(127_999);
    expect(affordableTokens(bound, bound.minNanos)).toBe(256);
    expect(affordableTokens(bound, bound.minNanos - 1)).toBe(0);
    expect(affordableTokens(bound, 0)).toBe(0);
  });

  it('KEY-4: counting tokens is free; embeddings have only a prompt', () => {
    expect(boundOf(anthropic, 'claude-opus-5', 'count_tokens', say('x'))).toMatchObject({ wantNanos: 0, refuse: null });
    const bound = boundOf(openai, 'text-embedding-3-small', 'embeddings', { input: 'abc' });
    expect(bound).toMatchObject({ maxTokens: 0, injectedMaxTokens: null, picosPerToken: 0 });
    expect(bound.minNanos).toBe(bound.wantNanos);
    expect(affordableTokens(bound, bound.wantNanos)).toBe(0);
  });

  it('KEY-4: a maximum under a name that the provider does not read bounds nothing: the valid one is sent', () => {
    expect(boundOf(openai, 'gpt-5', 'responses', { input: 'x', max_tokens: 5 })).toMatchObject({
      maxTokens: 128_000,
      injectedMaxTokens: 128_000,
    });
    const groq: PricedProvider = { name: 'g', type: 'openai-compatible', baseUrl: 'https://api.groq.com/openai/v1' };
    // the wish is kept, under the name that every server reads
    expect(boundOf(groq, 'llama-3.3-70b-versatile', 'chat', { ...say('x'), max_completion_tokens: 700 })).toMatchObject(
      {
        maxTokens: 700,
        injectedMaxTokens: 700,
      },
    );
  });

  it('KEY-4: a maximum beyond the context is sent as what is reserved', () => {
    const body = { ...say('x'), max_tokens: 999_999_999 };
    expect(boundOf(openai, 'gpt-4o', 'chat', body)).toMatchObject({ maxTokens: 128_000, injectedMaxTokens: 128_000 });
    expect(boundOf(openai, 'gpt-4o', 'chat', { ...body, max_tokens: 100 }).injectedMaxTokens).toBeNull();
  });

  it('KEY-4: each prompt of a batch has its answers', () => {
    const of = (prompt: unknown) =>
      boundOf(openai, 'gpt-3.5-turbo-instruct', 'completions', { prompt, max_tokens: 100 });
    expect(of(['a', 'b', 'c']).picosPerToken).toBe(3 * of('a').picosPerToken);
    expect(of([[1], [2]]).picosPerToken).toBe(2 * of('a').picosPerToken);
    const ids = Array.from({ length: 1000 }, () => 100_000);
    expect(of(ids).fixedPicos - of([1]).fixedPicos).toBe(999 * 1_500_000);
  });

  it('KEY-4: an unclear number of answers has no bound', () => {
    expect(boundOf(openai, 'gpt-4o', 'chat', { ...say('x'), n: '5' }).refuse).toBe('unclear_answers');
    const gemini = { contents: [], generationConfig: { candidateCount: 2.5 } };
    expect(boundOf(google, 'gemini-2.5-flash', 'generate', gemini).refuse).toBe('unclear_answers');
  });

  it('KEY-4: output without a price has no bound, embeddings need none', () => {
    expect(boundOf(openai, 'text-embedding-3-small', 'chat', say('x')).refuse).toBe('unpriced');
    expect(boundOf(openai, 'text-embedding-3-small', 'embeddings', { input: 'x' }).refuse).toBeNull();
  });

  it.each([
    ['gpt-4o-search-preview', 25e9],
    ['gpt-4o-mini-search-preview', 25e9],
    ['gpt-4o-mini-search-preview-2025-03-11', 25e9],
    ['gpt-5-search-api', 10e9],
  ])('KEY-4: %s searches before it answers: its fee and what it finds are in the bound', (model, fee) => {
    const body = { ...say('x'), max_tokens: 10 };
    const bound = boundOf(openai, model, 'chat', body);
    expect(bound.refuse).toBeNull();
    expect(bound.fixedPicos).toBeGreaterThanOrEqual(fee + 50_000 * 150_000);
    // asking for it changes nothing but the bytes
    const asked = boundOf(openai, model, 'chat', { ...body, web_search_options: {} });
    expect(asked.fixedPicos - bound.fixedPicos).toBeLessThan(fee);
  });

  it('KEY-4: a search whose fee nobody knows has no bound', () => {
    const router: PricedProvider = { name: 'r', type: 'openai-compatible', baseUrl: 'https://openrouter.ai/api/v1' };
    const body = { ...say('x'), max_tokens: 10 };
    expect(boundOf(router, 'openai/gpt-5', 'chat', body).refuse).toBeNull();
    expect(boundOf(router, 'openai/gpt-5', 'chat', { ...body, web_search_options: {} }).refuse).toBe('unknown_tool');
    expect(boundOf(openai, 'gpt-4o', 'chat', { ...body, web_search_options: {} }).fixedPicos).toBeGreaterThan(25e9);
  });
});
