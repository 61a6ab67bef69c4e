import { createHash } from 'node:crypto';
import type { PriceOverride } from '#libs/platform/config.js';
import { BoundedMap } from './bounded-map.js';
import { fillTier, type Rates, cacheRuleOf } from './model-prices.js';
import type { PricedProvider } from './price-table.js';
import { usdToPicos } from './units.js';

/** Prices an admin set for one model from one moment on. */
export interface OverridePrices {
  readonly fromMs: number;
  /** `override:` + first day + digest of the numbers: tells for each stored call which numbers were used. */
  readonly version: string;
  readonly rates: Rates;
}

/** Compiled overrides of one list, latest start first, by provider and model; remembers misses too. */
type OverrideMemo = BoundedMap<string, readonly OverridePrices[]>;

const MAX_REMEMBERED_MODELS = 2048;

/** One memo per list of overrides: a list lives as long as the configuration snapshot that holds it. */
const memos = new WeakMap<readonly PriceOverride[], OverrideMemo>();

/**
 * The override in force for a model at `atMs`, or `null`. Overrides name a provider by its configured name and a model
 * exactly as sent to it.
 * @throws RangeError when the list holds a price that is no price (the configuration refuses those before).
 */
export function findOverride(
  overrides: readonly PriceOverride[],
  provider: PricedProvider,
  model: string,
  atMs: number,
): OverridePrices | null {
  if (overrides.length === 0) return null;
  let memo = memos.get(overrides);
  if (memo === undefined) {
    memo = new BoundedMap(MAX_REMEMBERED_MODELS);
    memos.set(overrides, memo);
  }
  const key = `${provider.type} ${provider.name}/${model}`;
  let compiled = memo.get(key);
  if (compiled === undefined) {
    compiled = overrides
      .filter((override) => override.provider === provider.name && override.model === model)
      .map((override) => compileOverride(override, provider))
      .sort((a, b) => b.fromMs - a.fromMs);
    memo.set(key, compiled);
  }
  return compiled.find((override) => override.fromMs <= atMs) ?? null;
}

function compileOverride(override: PriceOverride, provider: PricedProvider): OverridePrices {
  const { provider: _provider, model, fromMs, ...prices } = override;
  const set = <K extends string>(name: K, usd: number | null | undefined): { readonly [N in K]?: number } =>
    usd == null ? {} : ({ [name]: usdToPicos(usd) } as { readonly [N in K]: number });
  const tier = {
    above: -1,
    input: usdToPicos(override.inputUsd),
    output: usdToPicos(override.outputUsd),
    ...set('cacheRead', override.cachedInputUsd),
    ...set('cacheWrite5m', override.cacheWrite5mUsd),
    ...set('cacheWrite1h', override.cacheWrite1hUsd),
    ...set('inputAudio', override.inputAudioUsd),
    ...set('outputAudio', override.outputAudioUsd),
    ...set('inputImage', override.inputImageUsd),
    ...set('outputImage', override.outputImageUsd),
  };
  const fees = override.webSearchUsd == null ? {} : { webSearch: usdToPicos(override.webSearchUsd, 1000) };
  const rates = fillTier(tier, fees, cacheRuleOf(provider.type, model.toLowerCase()));
  const given = Object.entries(prices).filter(([, usd]) => usd != null);
  const digest = createHash('sha256').update(JSON.stringify(given)).digest('hex').slice(0, 12);
  const day = fromMs > 0 ? new Date(fromMs).toISOString().slice(0, 10) : 'always';
  return { fromMs, version: `override:${day}.${digest}`, rates };
}
