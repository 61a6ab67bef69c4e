import type { ModelPriceView, OverrideView, PriceWish } from '../price-admin.js';
import { effectiveMs, type CreatePriceDto, type ModelPricesDto, type PriceDto } from './prices.dto.js';

function toInstant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** `provider/model`; the model's name may contain slashes itself. */
export function splitTarget(target: string): { readonly provider: string; readonly model: string } {
  const slash = target.indexOf('/');
  return { provider: target.slice(0, slash), model: target.slice(slash + 1) };
}

export function toWish(dto: CreatePriceDto): PriceWish {
  return {
    ...splitTarget(dto.model),
    prices: {
      inputUsd: dto.input,
      outputUsd: dto.output,
      cachedInputUsd: dto.cached_input ?? null,
      cacheWrite5mUsd: dto.cache_write_5m ?? null,
      cacheWrite1hUsd: dto.cache_write_1h ?? null,
      inputAudioUsd: dto.input_audio ?? null,
      outputAudioUsd: dto.output_audio ?? null,
      inputImageUsd: dto.input_image ?? null,
      outputImageUsd: dto.output_image ?? null,
      webSearchUsd: dto.web_search ?? null,
    },
    fromMs: dto.from == null ? null : effectiveMs(dto.from),
    note: dto.note ?? null,
  };
}

export function toPriceDto({ prices, ...view }: OverrideView): PriceDto {
  return {
    id: view.id,
    model: `${view.provider}/${view.model}`,
    from: new Date(view.fromMs).toISOString(),
    in_force: view.inForce,
    input: prices.inputUsd,
    output: prices.outputUsd,
    cached_input: prices.cachedInputUsd,
    cache_write_5m: prices.cacheWrite5mUsd,
    cache_write_1h: prices.cacheWrite1hUsd,
    input_audio: prices.inputAudioUsd,
    output_audio: prices.outputAudioUsd,
    input_image: prices.inputImageUsd,
    output_image: prices.outputImageUsd,
    web_search: prices.webSearchUsd,
    note: view.note,
    source: view.source,
    version: view.version,
    created_at: toInstant(view.createdAtMs),
  };
}

export function toModelPricesDto({ provider, model, overrides, listed }: ModelPriceView): ModelPricesDto {
  return {
    model: `${provider}/${model}`,
    overrides: overrides.map(toPriceDto),
    listed: listed.map((price) => ({
      service_tier: price.serviceTier,
      from: toInstant(price.fromMs),
      above_tokens: price.aboveTokens,
      input: price.inputUsd,
      output: price.outputUsd,
      cached_input: price.cachedInputUsd,
      cache_write_5m: price.cacheWrite5mUsd,
      cache_write_1h: price.cacheWrite1hUsd,
      web_search: price.webSearchUsd,
    })),
  };
}
