import { Admission, OwnerIndex, type BudgetSet, type KeyIndex, type KeyRecord } from '#libs/keys-budgets/index.js';
import { NO_LIMITS } from '#libs/platform/config.js';
import { EgressPolicy } from '#libs/platform/egress.js';
import { systemClock } from '#libs/platform/clock.js';
import { createLogger } from '#libs/platform/logger.js';
import { bundledPriceTable } from '#libs/pricing/index.js';
import { compileProvider, type Provider } from '#libs/providers/index.js';
import { RegistryState } from '#libs/registry/index.js';
import { ChainIndex, ModelIndex, ResponseOwners, Router } from '#libs/routing/index.js';
import { ActiveCalls } from '../../apps/gateway/src/proxy/active-calls.js';
import { BudgetSets, type CallBudgets } from '../../apps/gateway/src/proxy/call-budgets.js';
import { DrainRoom } from '../../apps/gateway/src/proxy/client-gone.js';
import type { DataPlane } from '../../apps/gateway/src/proxy/data-plane.js';
import { HeldBytes } from '../../apps/gateway/src/proxy/held-bytes.js';
import { ProxyMetrics } from '../../apps/gateway/src/proxy/proxy-metrics.js';
import { UnpricedCalls } from '../../apps/gateway/src/proxy/unpriced-calls.js';
import { UpstreamPools } from '../../apps/gateway/src/proxy/upstream-pools.js';
import { BENCH_MODEL } from './payloads.js';

const anybody: KeyRecord = {
  id: 'key_bench',
  name: 'bench',
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
  source: 'file',
  mayUseModel: () => true,
  mayUseRoute: () => true,
};
const everybody: KeyIndex = { size: 1, find: () => anybody };

const noSet = { fieldsJson: '[]', hasHard: false } as BudgetSet;
/** Admits everything and books nothing. */
export const nobodyPays: CallBudgets = {
  compile: () => noSet,
  admit: (request) => new Admission(request, [], request.wantNanos),
  extend: async () => true,
  settle: () => {},
  cancel: () => {},
  tightest: () => null,
  isReady: () => true,
};

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
    clientGone: { action: 'cancel', maxBytes: 0, maxMs: 0 },
  } as const;
  return compileProvider(config, null) as Provider;
}

/** A data plane that lets everybody in and keeps nothing; its one provider is the fake upstream. */
export function openPlane(origin: string): DataPlane {
  const active = new ActiveCalls();
  const drains = new DrainRoom(0);
  const policy = new EgressPolicy(['127.0.0.0/8']);
  const log = createLogger({ level: 'error', name: 'bench' });
  const router = new Router(systemClock);
  const models = new ModelIndex(
    [{ name: BENCH_MODEL, provider: 'bench', model: BENCH_MODEL, contextTokens: null, limits: NO_LIMITS }],
    [benchProvider(origin)],
    () => [],
  );
  return {
    snapshot: {
      version: 1,
      keys: everybody,
      models,
      chains: new ChainIndex(
        { registry: RegistryState.empty, fileChains: [], fileModels: [] },
        { models, health: router.health, costOf: () => null },
      ),
      owners: OwnerIndex.empty,
      modelLimits: new Map(),
      priceOverrides: { of: () => [] },
      refusesUnpriced: false,
    },
    draining: false,
    isBlind: () => false,
    heldCaptures: new HeldBytes(0),
    bodyLimitBytes: 64 << 20,
    heldBodies: new HeldBytes(Infinity),
    pools: new UpstreamPools(() => policy),
    alerts: { raise: () => {} },
    limiter: {
      admit() {
        throw new Error('nobody here has a limit');
      },
    },
    budgets: nobodyPays,
    budgetSets: new BudgetSets(nobodyPays),
    bodies: null,
    router,
    responses: new ResponseOwners(null),
    prices: bundledPriceTable(),
    unpriced: new UnpricedCalls(log),
    active,
    drains,
    metrics: new ProxyMetrics(active, drains),
    log,
  };
}
