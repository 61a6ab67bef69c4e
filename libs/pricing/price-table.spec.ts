import { calcPrice, waitForUpdate } from '@pydantic/genai-prices';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { BoundedMap } from './bounded-map.js';
import {
  bundledPriceTable,
  type CallPrice,
  priceCall,
  type PricedProvider,
  PriceTable,
  type PriceTableData,
} from './index.js';

const data = JSON.parse(readFileSync(new URL('./price-table.gen.json', import.meta.url), 'utf8')) as PriceTableData;
const compiler = new URL('../../tools/prices/compile.mjs', import.meta.url).pathname;
const NOVEMBER = Date.UTC(2026, 10, 15, 12);

/** A provider whose address leads to the named price list. */
function providerOf(listId: string): PricedProvider {
  return { name: listId, type: 'openai-compatible', baseUrl: `https://${listId}.test` };
}

/** The real data under addresses that can be made up from a list's name. */
const addressable = new PriceTable({
  ...data,
  providers: Object.fromEntries(
    Object.entries(data.providers).map(([id, provider]) => [
      id,
      { ...provider, api: `https://${id.replace(/\W/g, '\\$&')}\\.test` },
    ]),
  ),
});

/** Models whose prices our own table sets, because they are newer there than in the package. */
const own = JSON.parse(readFileSync(new URL('../../tools/prices/own-prices.gen.json', import.meta.url), 'utf8')) as {
  readonly models: Readonly<Record<string, readonly { readonly id: string }[]>>;
};
function isOwn(listId: string, model: string): boolean {
  const found = addressable.find(providerOf(listId), model);
  return found !== null && (own.models[listId] ?? []).some(({ id }) => id === found.id);
}

/** Claude models without cache prices: the calculator bills plain input, we by Anthropic's multipliers. */
function fillsCachePrices(listId: string, modelId: string, bill: CallPrice): boolean {
  const listed = data.providers[listId]?.models.find((model) => model.id === modelId);
  const isUnlisted = listed?.prices.every(({ tiers }) => tiers?.[0]?.cacheWrite5m === undefined) ?? false;
  return isUnlisted && modelId.includes('claude') && bill.components.some(({ part }) => part === 'cacheWrite5m');
}

describe('price table', () => {
  it('KEY-5: the committed table is what its source gives', () => {
    const result = spawnSync(process.execPath, [compiler, '--check'], { encoding: 'utf8' });
    expect(result.stderr).toBe('');
    expect(result.status).toBe(0);
  });

  it('KEY-5: every price is a safe non-negative integer of pico-dollars', () => {
    for (const provider of Object.values(data.providers)) {
      for (const model of provider.models) {
        for (const period of [...model.prices, ...Object.values(model.serviceTiers ?? {}).flat()]) {
          const numbers = [
            period.webSearch ?? 0,
            period.fileSearch ?? 0,
            period.call ?? 0,
            ...(period.tiers ?? []).flatMap(({ above: _above, ...rates }) => Object.values(rates)),
          ];
          for (const number of numbers) expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
        }
      }
    }
    expect(data.version).toMatch(/^\d{4}-\d{2}-\d{2}\.[0-9a-f]{12}$/);
    expect(bundledPriceTable().version).toBe(data.version);
  });

  it("KEY-5: for every model of every list, costs are those of the data's own calculator, unless our own table is newer", async () => {
    const shapes = [
      { inputTokens: 1234, cachedInputTokens: 0, cacheWrite5mTokens: 0, outputTokens: 567 },
      { inputTokens: 300_000, cachedInputTokens: 120_000, cacheWrite5mTokens: 10_000, outputTokens: 99 },
    ];
    const differences: string[] = [];
    let compared = 0;
    for (const provider of (await waitForUpdate()) ?? []) {
      for (const model of provider.models) {
        for (const parts of shapes) {
          const usage = {
            ...parts,
            cacheWrite1hTokens: 0,
            reasoningTokens: 0,
            webSearchRequests: 0,
            details: null,
            raw: '{}',
          };
          const mine = priceCall(addressable, {
            provider: providerOf(provider.id),
            model: model.id,
            usage,
            atMs: NOVEMBER,
          });
          if (mine.priceVersion === null || isOwn(provider.id, model.id)) continue;
          const theirs = calcPrice(
            {
              input_tokens: parts.inputTokens,
              cache_read_tokens: parts.cachedInputTokens,
              cache_write_tokens: parts.cacheWrite5mTokens,
              output_tokens: parts.outputTokens,
            },
            model.id,
            { providerId: provider.id, timestamp: new Date(NOVEMBER) },
          );
          compared += 1;
          // They count in floats, we round up to a whole nano-dollar; prices finer than a pico-dollar are rounded up too.
          const toleranceNanos = 1.01 + 1e-6 * mine.costNanos;
          if (fillsCachePrices(provider.id, model.id, mine) && parts.cachedInputTokens > 0) continue;
          if (theirs === null || Math.abs(theirs.total_price * 1e9 - mine.costNanos) > toleranceNanos) {
            differences.push(
              `${provider.id} ${model.id}: ${mine.costNanos} nano-dollars, they say ${theirs === null ? 'unknown' : theirs.total_price * 1e9}`,
            );
          }
        }
      }
    }
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(3000);
  });

  it.each([
    ['openai', null, 'gpt-5.6', 'an alias of the data'],
    ['openai', null, 'GPT-4O', 'another case'],
    ['openai', null, 'gpt-5.6-sol-20260701', 'a date without dashes'],
    ['anthropic', null, 'claude-haiku-4-5-20251001', 'a prefix rule'],
    ['anthropic', null, 'claude-opus-5-20260801', 'a pattern rule'],
    ['google', null, 'claude-opus-5', 'a fallback list'],
    ['vertex', null, 'gemini-2.5-pro', 'the list of Google'],
    ['azure-openai', null, 'gpt-5.6-sol-2026-07-01', "OpenAI's models sold by Azure"],
    ['bedrock', null, 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'a Bedrock profile'],
    ['openai-compatible', 'https://api.groq.com/openai/v1', 'openai/gpt-oss-120b', 'a list found by address'],
    ['openai-compatible', 'https://openrouter.ai/api/v1', 'openai/gpt-4o', 'OpenRouter'],
    ['openai-compatible', 'https://api.mistral.ai/v1', 'mistral-large-latest', 'Mistral'],
  ] as [PricedProvider['type'], string | null, string, string][])(
    'KEY-5: %s %s %s is priced (%s), on the second look too',
    (type, baseUrl, model) => {
      const table = bundledPriceTable();
      const find = (): unknown => table.find({ name: 'x', type, baseUrl }, model);
      const first = find();
      expect(first).not.toBeNull();
      expect(find()).toBe(first);
    },
  );

  it('KEY-5: text-to-speech names are not caught by the rule of the text model', () => {
    const table = bundledPriceTable();
    const google = { name: 'g', type: 'google', baseUrl: null } as const;
    expect(table.find(google, 'gemini-2.5-pro-preview-tts')).not.toBe(table.find(google, 'gemini-2.5-pro'));
  });
});

describe('BoundedMap', () => {
  it('forgets the oldest entry when full, so strangers cannot make it grow', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    map.set('b', 3);
    map.set('c', 4);
    expect([map.size, map.get('a'), map.get('b'), map.get('c')]).toEqual([2, undefined, 3, 4]);
  });
});
