import type { KeyIndex } from '#libs/keys-budgets/index.js';
import type { LiveConfig } from '#libs/platform/config.js';
import type { PriceTable } from '#libs/pricing/index.js';
import { compileProvider, type CredentialCache, type DemoAddress, type Provider } from '#libs/providers/index.js';
import { ModelIndex } from '#libs/routing/index.js';
import type { Snapshot } from './snapshot.js';

/** The part of a snapshot that follows the configuration file; compiled anew only when the file changes. */
export interface CompiledConfig {
  readonly live: LiveConfig;
  readonly providers: readonly Provider[];
  readonly models: ModelIndex;
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
  return { live, providers, models };
}

/** One immutable version of everything the data plane decides from. */
export function snapshotOf(version: number, config: CompiledConfig, keys: KeyIndex): Snapshot {
  return { version, keys, models: config.models, priceOverrides: config.live.prices };
}
