import type { LimitScope } from '#libs/keys-budgets/index.js';
import type { LiveConfig, ModelConfig } from '#libs/platform/config.js';
import type { PriceOverrides } from '#libs/price-admin/index.js';
import type { PriceTable } from '#libs/pricing/index.js';
import { compileProvider, type CredentialCache, type DemoAddress, type Provider } from '#libs/providers/index.js';
import { ChainIndex, ModelIndex, type PlanParts } from '#libs/routing/index.js';
import type { RegistryState } from '#libs/registry/index.js';
import type { Snapshot } from './snapshot.js';

/** The part of a snapshot that follows the configuration file; compiled anew only when the file changes. */
export interface CompiledConfig {
  readonly live: LiveConfig;
  readonly providers: readonly Provider[];
  readonly models: ModelIndex;
  readonly modelLimits: Snapshot['modelLimits'];
}

/** Providers and model names of a configuration, ready for the hot path. */
export function compileConfig(
  live: LiveConfig,
  demo: DemoAddress | null,
  prices: PriceTable,
  credentials: CredentialCache,
): CompiledConfig {
  const providers = live.providers
    .map((config) => compileProvider(config, demo, credentials))
    .filter((provider) => provider !== null);
  const models = new ModelIndex(live.models, providers, (type) => prices.catalogue(type));
  return { live, providers, models, modelLimits: limitsByTarget(live.models) };
}

/** One immutable version of everything the data plane decides from. */
export function snapshotOf(
  version: number,
  { models, modelLimits, live }: CompiledConfig,
  compiled: Pick<Snapshot, 'keys' | 'owners' | 'chains'>,
  priceOverrides: PriceOverrides,
): Snapshot {
  const refusesUnpriced = live.unpricedModels === 'refuse';
  return { version, ...compiled, models, modelLimits, priceOverrides, refusesUnpriced };
}

/** The chains at one moment; the index of before, when nothing in it has changed. */
export function chainsOf(
  before: ChainIndex | null,
  { live, models }: CompiledConfig,
  registry: RegistryState,
  { health, costOf }: Pick<PlanParts, 'health' | 'costOf'>,
): ChainIndex {
  const sources = { registry, fileChains: live.chains, fileModels: live.models };
  const parts = { models, health, costOf };
  return before === null ? new ChainIndex(sources, parts) : before.at(sources, parts);
}

/** Limits of declared models by the target they lead to, so that another name of the same target is no way round them. */
function limitsByTarget(models: readonly ModelConfig[]): ReadonlyMap<string, readonly LimitScope[]> {
  const found = new Map<string, LimitScope[]>();
  for (const { name, provider, model, limits } of models) {
    if (limits.rpm === null && limits.tpm === null && limits.maxParallel === null) continue;
    const target = `${provider}/${model}`;
    const scope: LimitScope = { id: `model:${name}`, kind: 'model', name, limits };
    found.set(target, [...(found.get(target) ?? []), scope]);
  }
  return found;
}
