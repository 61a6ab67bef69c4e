// A key that may do everything, a provider that is never called, and a snapshot of both, for the specs of the stages.
import { OwnerIndex, type KeyRecord } from '#libs/keys-budgets/index.js';
import { systemClock } from '#libs/platform/clock.js';
import { NO_LIMITS, type ProviderConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { compileProvider, type Provider } from '#libs/providers/index.js';
import { RegistryState } from '#libs/registry/index.js';
import { ChainIndex, ModelIndex, Router } from '#libs/routing/index.js';
import type { Snapshot } from '../../apps/gateway/src/proxy/snapshot.js';

/** Of a caller who may use everything. */
export const anyKey: KeyRecord = {
  id: 'key_1',
  name: 'test',
  orgId: 'org_default',
  team: null,
  user: null,
  app: null,
  tags: [],
  budgets: [],
  limits: [],
  chain: null,
  teamChain: null,
  expiresAtMs: null,
  status: 'active',
  problem: null,
  source: 'api',
  mayUseModel: () => true,
  mayUseRoute: () => true,
};

/** Its upstream does not exist. */
export function providerOf(config: Partial<ProviderConfig> & Pick<ProviderConfig, 'name' | 'type'>): Provider {
  return compileProvider(
    {
      baseUrl: 'https://provider.example/v1',
      apiKey: new Secret('sk-upstream-secret'),
      apiVersion: null,
      streamUsage: true,
      defaultTier: null,
      headers: {},
      models: [],
      timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 60_000 },
      clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
      ...config,
    },
    null,
  )!;
}

/** Configuration of a moment: whoever presents a text that begins with `good` is `key`; there are no chains. */
export function snapshotWith(key: KeyRecord, providers: readonly Provider[]): Snapshot {
  const parts = { health: new Router(systemClock).health, costOf: () => null };
  const fast = { name: 'fast', provider: 'openai', model: 'gpt-5-mini', contextTokens: null, limits: NO_LIMITS };
  const models = new ModelIndex([fast], providers, () => []);
  return {
    version: 1,
    keys: { find: (presented: string) => (presented.startsWith('good') ? key : null) } as Snapshot['keys'],
    models,
    chains: new ChainIndex({ registry: RegistryState.empty, fileChains: [], fileModels: [] }, { models, ...parts }),
    owners: OwnerIndex.empty,
    modelLimits: new Map(),
    priceOverrides: { of: () => [] },
    refusesUnpriced: false,
  };
}
