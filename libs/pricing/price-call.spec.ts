import type { TokenUsage } from '#libs/dialects/index.js';
import { anthropic, openai, price, table } from '#test/fakes/priced-calls.js';
import type { PricedProvider } from './index.js';

const google: PricedProvider = { name: 'google', type: 'google', baseUrl: 'https://generativelanguage.googleapis.com' };
const demo: PricedProvider = { name: 'demo', type: 'demo', baseUrl: null };

// Every expected number below was worked out by hand from the published price in USD per million tokens.
// 1 token at $1/M = 1,000 nano-dollars.
describe('priceCall: golden cases', () => {
  const cases: [string, PricedProvider, string, Partial<TokenUsage>, number][] = [
    // gpt-4o: 2.50 in, 1.25 cached, 10 out
    ['OpenAI chat', openai, 'gpt-4o', { inputTokens: 1000, outputTokens: 500 }, 2_500_000 + 5_000_000],
    [
      'OpenAI chat with cached tokens inside the prompt count',
      openai,
      'gpt-4o',
      { inputTokens: 1000, cachedInputTokens: 600, outputTokens: 10 },
      400 * 2500 + 600 * 1250 + 10 * 10_000,
    ],
    [
      'OpenAI reasoning is inside the output and not billed twice',
      openai,
      'gpt-5',
      { inputTokens: 100, outputTokens: 900, reasoningTokens: 800 },
      100 * 1250 + 900 * 10_000,
    ],
    // gpt-5.6-sol since 2026-08-21: 4 in, 0.40 cached, 5 write, 20 out
    [
      'OpenAI Responses with cache writes',
      openai,
      'gpt-5.6-sol',
      { inputTokens: 10_000, cachedInputTokens: 4000, cacheWrite5mTokens: 5000, outputTokens: 100 },
      1000 * 4000 + 4000 * 400 + 5000 * 5000 + 100 * 20_000,
    ],
    // text-embedding-3-small: 0.02
    ['OpenAI embeddings', openai, 'text-embedding-3-small', { inputTokens: 7 }, 140],
    // claude-opus-5: 5 in, 0.50 read, 6.25 / 10 writes, 25 out; search $10 per 1,000
    ['Anthropic plain', anthropic, 'claude-opus-5', { inputTokens: 12, outputTokens: 34 }, 12 * 5000 + 34 * 25_000],
    [
      'Anthropic with reads and both kinds of writes',
      anthropic,
      'claude-opus-5',
      {
        inputTokens: 50 + 3000 + 2000 + 1000,
        cachedInputTokens: 3000,
        cacheWrite5mTokens: 2000,
        cacheWrite1hTokens: 1000,
        outputTokens: 7,
      },
      50 * 5000 + 3000 * 500 + 2000 * 6250 + 1000 * 10_000 + 7 * 25_000,
    ],
    [
      'Anthropic web searches',
      anthropic,
      'claude-opus-5',
      { inputTokens: 100, outputTokens: 10, webSearchRequests: 3 },
      500_000 + 250_000 + 30_000_000,
    ],
    // claude-fable-5-1: cache hits at 0.25, not a tenth of 10
    [
      'an explicit cache price wins over the multiplier',
      anthropic,
      'claude-fable-5-1',
      { inputTokens: 1000, cachedInputTokens: 1000 },
      250_000,
    ],
    // claude-haiku-3: 0.25 in, explicit 0.30 write (the multiplier would say 0.3125)
    [
      'an explicit write price wins over the multiplier',
      anthropic,
      'claude-3-haiku-20240307',
      { inputTokens: 1000, cacheWrite5mTokens: 1000 },
      300_000,
    ],
    // claude-2: 8 in, 24 out, no cache prices: 1.25 x, 2 x, 0.1 x
    [
      'Anthropic multipliers fill what the data leaves out',
      anthropic,
      'claude-2.1',
      { inputTokens: 300, cachedInputTokens: 100, cacheWrite5mTokens: 100, cacheWrite1hTokens: 100, outputTokens: 1 },
      100 * 800 + 100 * 10_000 + 100 * 16_000 + 24_000,
    ],
    // gemini-2.5-flash: 0.30 in, 0.03 cached, 2.50 out (candidates + thoughts)
    [
      'Gemini with cached content and thoughts',
      google,
      'gemini-2.5-flash',
      { inputTokens: 1000, cachedInputTokens: 900, outputTokens: 50, reasoningTokens: 30 },
      100 * 300 + 900 * 30 + 50 * 2500,
    ],
    // demo: 1 in, 2 out
    [
      'demo models have prices, so budgets can be tried',
      demo,
      'echo',
      { inputTokens: 3, outputTokens: 5 },
      3000 + 10_000,
    ],
    ['demo faults have the same prices', demo, 'cut', { inputTokens: 1, outputTokens: 1 }, 3000],
    ['nothing used costs nothing, but is priced', openai, 'gpt-4o', {}, 0],
  ];
  it.each(cases)('KEY-5: %s', (_name, provider, model, parts, costNanos) => {
    const result = price(provider, model, parts);
    expect(result.costNanos).toBe(costNanos);
    expect(result.priceVersion).toBe(table.version);
  });

  it('KEY-5: fractions of a nano-dollar are added up first and rounded up once', () => {
    // gpt-6-luna: 0.10 in, 0.01 cached, 0.50 out = 100, 10 and 500 nano-dollars; deepseek-v4-pro before August 2026: 3.625 cached
    const deepseek: PricedProvider = { name: 'ds', type: 'openai-compatible', baseUrl: 'https://api.deepseek.com/v1' };
    const before = Date.UTC(2026, 5, 1, 12);
    const one = price(deepseek, 'deepseek-v4-pro', { inputTokens: 1, cachedInputTokens: 1 }, { atMs: before });
    expect(one.costNanos).toBe(4); // 3.625 rounded up
    const two = price(deepseek, 'deepseek-v4-pro', { inputTokens: 2, cachedInputTokens: 2 }, { atMs: before });
    expect(two.costNanos).toBe(8); // 7.25 rounded up, not 2 x 4 by chance: three are 10.875 -> 11, not 12
    expect(
      price(deepseek, 'deepseek-v4-pro', { inputTokens: 3, cachedInputTokens: 3 }, { atMs: before }).costNanos,
    ).toBe(11);
  });

  it('KEY-5: a tier switches the whole call when the whole input, cached tokens included, crosses its size', () => {
    // gpt-5.5: 5 / 0.50 / 30 up to 272,000 input tokens, 10 / 1 / 45 above
    expect(
      price(openai, 'gpt-5.5', { inputTokens: 272_000, cachedInputTokens: 200_000, outputTokens: 10 }).costNanos,
    ).toBe(72_000 * 5000 + 200_000 * 500 + 10 * 30_000);
    expect(
      price(openai, 'gpt-5.5', { inputTokens: 272_001, cachedInputTokens: 200_000, outputTokens: 10 }).costNanos,
    ).toBe(72_001 * 10_000 + 200_000 * 1000 + 10 * 45_000);
    // gemini-3.1-pro-preview: 2 / 12 up to 200,000, 4 / 18 above
    expect(price(google, 'gemini-3.1-pro-preview', { inputTokens: 200_000, outputTokens: 1 }).costNanos).toBe(
      200_000 * 2000 + 12_000,
    );
    expect(price(google, 'gemini-3.1-pro-preview', { inputTokens: 200_001, outputTokens: 1 }).costNanos).toBe(
      200_001 * 4000 + 18_000,
    );
  });

  it('KEY-5: prices are dated: a call is billed at the price of its own day', () => {
    // claude-sonnet-4-6: above 200k 6 / 22.50 until 2026-03-12, flat 3 / 15 since
    const parts = { inputTokens: 300_000, outputTokens: 100 };
    const day = Date.UTC(2026, 2, 13);
    expect(price(anthropic, 'claude-sonnet-4-6', parts, { atMs: day - 1 }).costNanos).toBe(
      300_000 * 6000 + 100 * 22_500,
    );
    expect(price(anthropic, 'claude-sonnet-4-6', parts, { atMs: day }).costNanos).toBe(300_000 * 3000 + 100 * 15_000);
    // gemini-3.8-flash doubles on 2027-01-01
    const newYear = Date.UTC(2027, 0, 1);
    expect(price(google, 'gemini-3.8-flash', { inputTokens: 1000 }, { atMs: newYear - 1 }).costNanos).toBe(750_000);
    expect(price(google, 'gemini-3.8-flash', { inputTokens: 1000 }, { atMs: newYear }).costNanos).toBe(1_500_000);
  });

  it('KEY-5: prices by time of day follow the UTC clock', () => {
    const deepseek: PricedProvider = { name: 'ds', type: 'openai-compatible', baseUrl: 'https://api.deepseek.com' };
    // deepseek-chat: 0.135 off-peak, 0.27 from 00:30 to 16:30
    expect(
      price(deepseek, 'deepseek-chat', { inputTokens: 1000 }, { atMs: Date.UTC(2026, 1, 1, 0, 29, 59, 999) }).costNanos,
    ).toBe(135_000);
    expect(
      price(deepseek, 'deepseek-chat', { inputTokens: 1000 }, { atMs: Date.UTC(2026, 1, 1, 0, 30) }).costNanos,
    ).toBe(270_000);
    expect(
      price(deepseek, 'deepseek-chat', { inputTokens: 1000 }, { atMs: Date.UTC(2026, 1, 1, 16, 30) }).costNanos,
    ).toBe(135_000);
  });

  it('KEY-5: audio and image tokens inside the totals are billed at their own price where one exists', () => {
    // gpt-audio: text 2.50 / 10, audio 32 / 64
    const media = { inputAudioTokens: 600, outputAudioTokens: 40 };
    expect(price(openai, 'gpt-audio', { inputTokens: 1000, outputTokens: 50 }, { details: media }).costNanos).toBe(
      400 * 2500 + 600 * 32_000 + 10 * 10_000 + 40 * 64_000,
    );
    // gemini-2.5-flash-image: output text 2.50, image 30
    expect(
      price(
        google,
        'gemini-2.5-flash-image',
        { inputTokens: 10, outputTokens: 1290 },
        { details: { outputImageTokens: 1290 } },
      ).costNanos,
    ).toBe(3000 + 1290 * 30_000);
    // gpt-realtime style cached audio, gpt-4o-realtime-preview: 5 in, 2.50 read, 40 audio, 2.50 audio read
    expect(
      price(
        openai,
        'gpt-4o-realtime-preview',
        { inputTokens: 1000, cachedInputTokens: 300 },
        { details: { inputAudioTokens: 500, cachedAudioTokens: 200 } },
      ).costNanos,
    ).toBe(400 * 5000 + 300 * 40_000 + 100 * 2500 + 200 * 2500);
    // gpt-4o knows no audio price: the price of text
    expect(price(openai, 'gpt-4o', { inputTokens: 1000 }, { details: { inputAudioTokens: 1000 } }).costNanos).toBe(
      2_500_000,
    );
  });

  it('KEY-5: batch halves and the US-only region adds a tenth, still rounded up only once', () => {
    expect(price(anthropic, 'claude-opus-5', { inputTokens: 3 }, { details: { serviceTier: 'batch' } }).costNanos).toBe(
      7500,
    );
    expect(price(anthropic, 'claude-opus-5', { inputTokens: 3 }, { details: { region: 'us' } }).costNanos).toBe(16_500);
    expect(
      price(anthropic, 'claude-opus-5', { inputTokens: 3 }, { details: { serviceTier: 'batch', region: 'us' } })
        .costNanos,
    ).toBe(8250);
    // gpt-6-luna cached: 10 nano-dollars; three quarters of nothing: 1 token x 10 x 1/2 x 11/10 = 5.5 -> 6
    expect(
      price(
        openai,
        'gpt-6-luna',
        { inputTokens: 1, cachedInputTokens: 1 },
        { details: { serviceTier: 'batch', region: 'us' } },
      ).costNanos,
    ).toBe(6);
  });

  it('KEY-5: the components add up to the cost, so that a stored call can be replayed', () => {
    const result = price(anthropic, 'claude-opus-5', {
      inputTokens: 60,
      cachedInputTokens: 30,
      cacheWrite1hTokens: 10,
      outputTokens: 7,
      webSearchRequests: 1,
    });
    expect(result.components).toEqual([
      { part: 'input', count: 20, picosPerUnit: 5_000_000 },
      { part: 'cacheRead', count: 30, picosPerUnit: 500_000 },
      { part: 'cacheWrite1h', count: 10, picosPerUnit: 10_000_000 },
      { part: 'output', count: 7, picosPerUnit: 25_000_000 },
      { part: 'webSearch', count: 1, picosPerUnit: 10_000_000_000 },
    ]);
    const sum = result.components.reduce((picos, part) => picos + part.count * part.picosPerUnit, 0);
    expect(result.costNanos).toBe(Math.ceil(sum / 1000));
  });
});

describe('priceCall: bad and huge input', () => {
  it('KEY-5: huge counts stay exact beyond 2^53 pico-dollars', () => {
    // 3,000,000,007 tokens at $25/M and 1 at $5/M: 75,000,000,175,000 + 5,000 nano-dollars
    expect(price(anthropic, 'claude-opus-5', { inputTokens: 1, outputTokens: 3_000_000_007 }).costNanos).toBe(
      75_000_000_180_000,
    );
    // 1,000,000,000,001 cached tokens of deepseek-v4-pro (3.625 nano-dollars): 3,625,000,000,003.625 -> rounded up
    const deepseek: PricedProvider = { name: 'ds', type: 'openai-compatible', baseUrl: 'https://api.deepseek.com' };
    const count = 1_000_000_000_001;
    expect(
      price(
        deepseek,
        'deepseek-v4-pro',
        { inputTokens: count, cachedInputTokens: count },
        { atMs: Date.UTC(2026, 0, 1, 12) },
      ).costNanos,
    ).toBe(3_625_000_000_004);
  });
  it('KEY-5: a cost that cannot be counted is refused instead of rounded', () => {
    expect(() => price(anthropic, 'claude-opus-5', { outputTokens: Number.MAX_SAFE_INTEGER })).toThrow(RangeError);
  });
  it.each([-1, Number.NaN, Infinity, 1.5, 2 ** 53, '7', null, undefined])(
    'KEY-5: a count of %p is refused by name',
    (bad) => {
      for (const field of [
        'inputTokens',
        'cachedInputTokens',
        'cacheWrite5mTokens',
        'cacheWrite1hTokens',
        'outputTokens',
        'reasoningTokens',
        'webSearchRequests',
      ]) {
        expect(() => price(openai, 'gpt-4o', { [field]: bad as number })).toThrow(`usage.${field}`);
      }
    },
  );
  it('KEY-5: a negative media count is refused', () => {
    expect(() => price(openai, 'gpt-audio', {}, { details: { inputAudioTokens: -1 } })).toThrow(RangeError);
  });
  it('KEY-5: cached tokens counted apart from the input are billed as reported, never as a refund', () => {
    expect(price(openai, 'gpt-4o', { inputTokens: 10, cachedInputTokens: 30 }).costNanos).toBe(30 * 1250);
  });
  it.each([
    ['an unknown model', openai, 'no-such-model'],
    ['an empty name', openai, ''],
    ['a name like an object member', openai, '__proto__'],
    ['a very long name', openai, 'gpt-4o'.repeat(100_000)],
    [
      'an unknown address',
      { name: 'local', type: 'openai-compatible', baseUrl: 'http://127.0.0.1:9/v1' } as const,
      'gpt-4o',
    ],
    ['no address', { name: 'local', type: 'openai-compatible', baseUrl: null } as const, 'gpt-4o'],
    ['a model priced per hour of audio', openai, 'whisper-1'],
  ])('KEY-5: %s is unpriced: version null, cost 0', (_name, provider, model) => {
    expect(price(provider, model, { inputTokens: 10, outputTokens: 10 })).toEqual({
      costNanos: 0,
      priceVersion: null,
      components: [],
      estimates: [],
    });
  });
  it('KEY-5: output of a model without a price of output does not take the priced input off the bill', () => {
    const azure = { name: 'az', type: 'azure-openai', baseUrl: null } as const;
    expect(price(azure, 'text-embedding-3-small', { inputTokens: 10, outputTokens: 10 })).toMatchObject({
      costNanos: 200,
      estimates: ['output_price'],
    });
    expect(price(azure, 'text-embedding-3-small', { inputTokens: 10, outputTokens: 0 }).estimates).toEqual([]);
  });
});
