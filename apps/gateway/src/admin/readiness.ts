import type { RegistryFeed } from '#libs/registry/index.js';
import { storeHealth, type HealthSources } from '#libs/stores/index.js';

export interface ReadinessReport {
  /**
   * `degraded`: a store is down or the counters of budgets are being rebuilt, and the gateway goes on as the outage policy says; still ready, or all replicas would leave
   * the balancer together. `blind`: the registry was not confirmed for longer than its grace. `draining`: about to end.
   */
  readonly status: 'ready' | 'degraded' | 'draining' | 'blind';
  readonly stores: Readonly<Record<string, 'up' | 'down'>>;
  /** `waiting`: the counters are being rebuilt or Redis is away; hard budgets live on what this process holds, then refuse. */
  readonly budgets: 'open' | 'waiting';
  readonly registryVersion: number;
}

/** What the process itself says. */
export interface ProcessState {
  isDraining(): boolean;
  areBudgetsOpen(): boolean;
}

const CHECK_EVERY_MS = 1_000;

/** Whether this process should get calls. The stores are asked at most once a second, however often it is asked itself. */
export class Readiness {
  private stores: Promise<ReadinessReport['stores']> | null = null;
  private askedAt = 0;

  constructor(
    private readonly sources: HealthSources,
    private readonly feed: RegistryFeed,
    private readonly process: ProcessState,
  ) {}

  async report(): Promise<ReadinessReport> {
    const stores = await this.askStores();
    const { blind, version } = this.feed.health();
    const allUp = Object.values(stores).every((state) => state === 'up');
    const budgets = this.process.areBudgetsOpen() ? 'open' : 'waiting';
    const isWhole = allUp && budgets === 'open';
    const status = this.process.isDraining() ? 'draining' : blind ? 'blind' : isWhole ? 'ready' : 'degraded';
    return { status, stores, budgets, registryVersion: version };
  }

  private askStores(): Promise<ReadinessReport['stores']> {
    const now = performance.now();
    if (this.stores === null || now - this.askedAt >= CHECK_EVERY_MS) {
      this.askedAt = now;
      this.stores = storeHealth(this.sources).then((health) =>
        Object.fromEntries(Object.entries(health).map(([name, { state }]) => [name, state])),
      );
    }
    return this.stores;
  }
}
