// Models, chains and plans for tests of routing, without stores and without a configuration file.
import type { ChainSettings, ProviderConfig, ProviderType } from '#libs/platform/config.js';
import { NO_LIMITS, parseChain } from '#libs/platform/config.js';
import { compileProvider, type Provider } from '#libs/providers/index.js';
import { RegistryState } from '#libs/registry/index.js';
import { ChainIndex, ModelIndex, Router, type RouteContext, type RoutePlan } from '#libs/routing/index.js';

export function fakeProvider(name: string, type: ProviderType = 'openai-compatible'): Provider {
  const config: ProviderConfig = {
    name,
    type,
    baseUrl: 'https://provider.example/v1',
    apiKey: null,
    apiVersion: null,
    streamUsage: true,
    defaultTier: null,
    clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
    headers: {},
    models: [],
    timeouts: { connectMs: 1_000, firstByteMs: 30_000, idleMs: 10_000, totalMs: 60_000 },
  };
  return compileProvider(config, { baseUrl: 'http://127.0.0.1:1', token: 't' }) as Provider;
}

/** Providers a to d, each with the models small, mid (128k) and big (1M); `named` leads to a/small. */
export const models = new ModelIndex(
  [
    { name: 'named', provider: 'a', model: 'small', contextTokens: null, limits: NO_LIMITS },
    ...['a', 'b', 'c', 'd'].flatMap((provider) => [
      { name: `${provider}/mid`, provider, model: 'mid', contextTokens: 128_000, limits: NO_LIMITS },
      { name: `${provider}/big`, provider, model: 'big', contextTokens: 1_000_000, limits: NO_LIMITS },
    ]),
  ],
  ['a', 'b', 'c', 'd'].map((name) => fakeProvider(name)),
  () => [],
);

/** A chain as one would write it, with its defaults. Throws when it is invalid. */
export function chainOf(written: unknown): ChainSettings {
  const parsed = parseChain('chain', written, {
    isModel: (name) => models.resolve(name) !== null,
    whyNoModel: () => 'is unknown',
    chainNamed: (name) => (name.startsWith('chain') ? {} : undefined),
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  const { name: _name, ...settings } = parsed.chain;
  return settings;
}

/** Time that tests set. */
export class FakeClock {
  ms = 1_000;
  now = (): number => 1_700_000_000_000 + this.ms;
  monotonic = (): number => this.ms;
}

export interface Bench {
  readonly clock: FakeClock;
  readonly router: Router;
  readonly index: ChainIndex;
  /** The plan of a name. Throws when it leads nowhere. */
  plan(name: string): RoutePlan;
}

/** A router and an index of chains (name → as written). */
export function routingBench(
  chains: Readonly<Record<string, unknown>>,
  options: { readonly random?: () => number; readonly costs?: Readonly<Record<string, number>> } = {},
): Bench {
  const clock = new FakeClock();
  const router = new Router(clock, options.random ?? (() => 0.5));
  const index = new ChainIndex(
    {
      registry: RegistryState.empty,
      fileChains: Object.entries(chains).map(([name, chain]) => ({ name, ...chainOf(chain) })),
      fileModels: [],
    },
    {
      models,
      health: router.health,
      costOf: (_orgId, provider, model) => options.costs?.[`${provider.name}/${model}`] ?? null,
    },
  );
  return {
    clock,
    router,
    index,
    plan(name) {
      const plan = index.planOf('org_default', name);
      if (plan === null) throw new Error(`"${name}" leads nowhere`);
      return plan;
    },
  };
}

export const PLAIN: Omit<RouteContext, 'startedMs'> = {
  affinityKey: null,
  pinned: null,
  isStream: true,
  canServe: null,
};
