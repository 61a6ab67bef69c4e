import type { PriceOverride } from '#libs/platform/config.js';
import { anthropic, openai, price, table } from '#test/fakes/priced-calls.js';
import type { CallPrice, PricedProvider } from './index.js';

describe('priceCall: overrides', () => {
  const base = {
    provider: 'openai',
    model: 'gpt-4o',
    cachedInputUsd: null,
    cacheWrite5mUsd: null,
    cacheWrite1hUsd: null,
    fromMs: 0,
  };
  it('KEY-5: an override wins over the table, for its provider and model only', () => {
    const overrides: PriceOverride[] = [{ ...base, inputUsd: 0.1, outputUsd: 0.2, cachedInputUsd: 0.05 }];
    const result = price(
      openai,
      'gpt-4o',
      { inputTokens: 100, cachedInputTokens: 40, outputTokens: 10 },
      { overrides },
    );
    expect(result.costNanos).toBe(60 * 100 + 40 * 50 + 10 * 200);
    expect(result.priceVersion).toMatch(/^override:always\.[0-9a-f]{12}$/);
    expect(price({ ...openai, name: 'other' }, 'gpt-4o', { inputTokens: 100 }, { overrides }).priceVersion).toBe(
      table.version,
    );
    expect(price(openai, 'gpt-5', { inputTokens: 100 }, { overrides }).priceVersion).toBe(table.version);
  });
  it('KEY-5: of several overrides the one in force at the time of the call counts', () => {
    const june = Date.UTC(2026, 5, 1);
    const overrides: PriceOverride[] = [
      { ...base, inputUsd: 9, outputUsd: 9, fromMs: june },
      { ...base, inputUsd: 7, outputUsd: 7, fromMs: Date.UTC(2026, 0, 1) },
    ];
    const at = (atMs: number): CallPrice => price(openai, 'gpt-4o', { inputTokens: 1 }, { overrides, atMs });
    expect(at(june).costNanos).toBe(9000);
    expect(at(june).priceVersion).toMatch(/^override:2026-06-01\./);
    expect(at(june - 1).costNanos).toBe(7000);
    expect(at(Date.UTC(2025, 0, 1)).priceVersion).toBe(table.version);
  });
  it('KEY-5: an override prices a model the table does not know', () => {
    const local: PricedProvider = { name: 'local', type: 'openai-compatible', baseUrl: 'http://127.0.0.1:9' };
    const overrides: PriceOverride[] = [
      { ...base, provider: 'local', model: 'org/llama', inputUsd: 0.00225, outputUsd: 0 },
    ];
    expect(price(local, 'org/llama', { inputTokens: 3, outputTokens: 4 }, { overrides }).costNanos).toBe(7); // 6.75
  });
  it('KEY-5: without cache prices, Anthropic providers bill by multiplier and others at the input price', () => {
    const parts = { inputTokens: 3000, cachedInputTokens: 1000, cacheWrite5mTokens: 1000, cacheWrite1hTokens: 1000 };
    const overrides: PriceOverride[] = [
      { ...base, inputUsd: 4, outputUsd: 1 },
      { ...base, provider: 'anthropic', model: 'my-alias', inputUsd: 4, outputUsd: 1 },
    ];
    expect(price(openai, 'gpt-4o', parts, { overrides }).costNanos).toBe(3000 * 4000);
    expect(price(anthropic, 'my-alias', parts, { overrides }).costNanos).toBe(1000 * 400 + 1000 * 5000 + 1000 * 8000);
  });
  it('KEY-5: a Claude model sold by others bills writes by multiplier and reads at the input price', () => {
    const seller: PricedProvider = { name: 'seller', type: 'openai-compatible', baseUrl: 'http://127.0.0.1:9' };
    const overrides: PriceOverride[] = [{ ...base, provider: 'seller', model: 'claude-x', inputUsd: 4, outputUsd: 1 }];
    const parts = { inputTokens: 3000, cachedInputTokens: 1000, cacheWrite5mTokens: 1000, cacheWrite1hTokens: 1000 };
    expect(price(seller, 'claude-x', parts, { overrides }).costNanos).toBe(1000 * 4000 + 1000 * 5000 + 1000 * 8000);
  });
  it("KEY-5: the table's fee for searches stays, and the version says that both were used", () => {
    const overrides: PriceOverride[] = [
      { ...base, provider: 'anthropic', model: 'claude-opus-5', inputUsd: 1, outputUsd: 1 },
    ];
    const result = price(anthropic, 'claude-opus-5', { inputTokens: 1, webSearchRequests: 2 }, { overrides });
    expect(result.costNanos).toBe(1000 + 20_000_000);
    expect(result.priceVersion).toMatch(new RegExp(`^override:always\\.[0-9a-f]{12}\\+${table.version}$`));
  });
  it('KEY-5: an override may name media and the fee of a search; what it leaves out is as text, or published', () => {
    const overrides: PriceOverride[] = [
      { ...base, inputUsd: 1, outputUsd: 2, inputAudioUsd: 10, outputImageUsd: 30, webSearchUsd: 4 },
    ];
    const details = { inputAudioTokens: 40, outputImageTokens: 5, outputAudioTokens: 1 };
    const result = price(
      openai,
      'gpt-4o',
      { inputTokens: 100, outputTokens: 10, webSearchRequests: 3 },
      { overrides, details },
    );
    expect(result.costNanos).toBe(60 * 1000 + 40 * 10_000 + 4 * 2000 + 5 * 30_000 + 1 * 2000 + 3 * 4_000_000);
    expect(result.estimates).toEqual(['media_price']);
    expect(result.priceVersion).toMatch(/^override:always\.[0-9a-f]{12}$/);
  });
  it('KEY-5: an override is for the standard tier; others follow it by the usual factor, as estimates', () => {
    const overrides: PriceOverride[] = [{ ...base, inputUsd: 1, outputUsd: 2 }];
    const cost = (serviceTier: string) =>
      price(openai, 'gpt-4o', { inputTokens: 100, outputTokens: 10 }, { overrides, details: { serviceTier } });
    expect(cost('priority')).toMatchObject({ costNanos: 2 * 120_000, estimates: ['tier_price'] });
    expect(cost('batch')).toMatchObject({ costNanos: 60_000, estimates: ['tier_price'] });
    expect(cost('flex')).toMatchObject({ costNanos: 120_000, estimates: ['tier_price'] });
  });
  it('KEY-5: the version tells the numbers apart, not how they were written', () => {
    const version = (more: Partial<PriceOverride>) =>
      price(openai, 'gpt-4o', { inputTokens: 1 }, { overrides: [{ ...base, inputUsd: 1, outputUsd: 2, ...more }] })
        .priceVersion;
    expect(version({ webSearchUsd: null })).toBe(version({}));
    expect(version({ webSearchUsd: 1 })).not.toBe(version({}));
    expect(version({ outputUsd: 3 })).not.toBe(version({}));
  });
});
