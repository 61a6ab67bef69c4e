import type { KeyIndex, KeyRecord } from '#libs/keys-budgets/index.js';
import { EgressPolicy } from '#libs/platform/egress.js';
import { createLogger } from '#libs/platform/logger.js';
import { bundledPriceTable } from '#libs/pricing/index.js';
import { compileProvider, type Provider } from '#libs/providers/index.js';
import { ModelIndex } from '#libs/routing/index.js';
import { ActiveCalls } from '../../apps/gateway/src/proxy/active-calls.js';
import type { DataPlane } from '../../apps/gateway/src/proxy/data-plane.js';
import { ProxyMetrics } from '../../apps/gateway/src/proxy/proxy-metrics.js';
import { UnpricedCalls } from '../../apps/gateway/src/proxy/unpriced-calls.js';
import { UpstreamPools } from '../../apps/gateway/src/proxy/upstream-pools.js';
import { BENCH_MODEL } from './payloads.js';

const anybody: KeyRecord = {
  id: 'key_bench',
  name: 'bench',
  orgId: 'org_default',
  team: null,
  tags: [],
  expiresAtMs: null,
  status: 'active',
  source: 'file',
  mayUseModel: () => true,
  mayUseRoute: () => true,
};
const everybody: KeyIndex = { size: 1, find: () => anybody };

function benchProvider(origin: string): Provider {
  const config = {
    name: 'bench',
    type: 'openai-compatible',
    baseUrl: `${origin}/v1`,
    apiKey: null,
    apiVersion: null,
    streamUsage: true,
    defaultTier: null,
    headers: {},
    models: [],
    timeouts: { connectMs: 10_000, firstByteMs: 300_000, idleMs: 120_000, totalMs: 1_800_000 }, // the product's own
  } as const;
  return compileProvider(config, null) as Provider;
}

/** A data plane that lets everybody in and keeps nothing; its one provider is the fake upstream. */
export function openPlane(origin: string): DataPlane {
  const active = new ActiveCalls();
  const policy = new EgressPolicy(['127.0.0.0/8']);
  const log = createLogger({ level: 'error', name: 'bench' });
  return {
    snapshot: {
      version: 1,
      keys: everybody,
      models: new ModelIndex(
        [{ name: BENCH_MODEL, provider: 'bench', model: BENCH_MODEL, contextTokens: null }],
        [benchProvider(origin)],
        () => [],
      ),
      priceOverrides: { of: () => [] },
      refusesUnpriced: false,
    },
    draining: false,
    isBlind: () => false,
    pools: new UpstreamPools(() => policy),
    usage: { hasRoom: () => true, record: () => {} },
    bodies: null,
    prices: bundledPriceTable(),
    unpriced: new UnpricedCalls(log),
    active,
    metrics: new ProxyMetrics(active),
    log,
  };
}
