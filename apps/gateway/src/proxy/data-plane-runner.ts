import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { compileKeys, FileKeySecrets, OwnerIndex, unusableKeys, type Limiter } from '#libs/keys-budgets/index.js';
import type { BodySink } from '#libs/ledger/index.js';
import type { LiveConfig } from '#libs/platform/config.js';
import { EgressPolicy } from '#libs/platform/egress.js';
import type { Logger } from '#libs/platform/logger.js';
import { OverrideCompiler } from '#libs/price-admin/index.js';
import { bundledPriceTable } from '#libs/pricing/index.js';
import { CredentialCache, type DemoAddress } from '#libs/providers/index.js';
import type { RegistryFeed, RegistryState } from '#libs/registry/index.js';
import type { ChainIndex, NominalCost, ResponseOwners, Router } from '#libs/routing/index.js';
import type { LiveSettings } from '../live-settings.js';
import { nominalCost } from './nominal-cost.js';
import { ActiveCalls } from './active-calls.js';
import { BudgetSets, type CallBudgets } from './call-budgets.js';
import { DrainRoom } from './client-gone.js';
import { chainsOf, compileConfig, snapshotOf, type CompiledConfig } from './compile-snapshot.js';
import type { DataPlane } from './data-plane.js';
import { TokenClient } from './fetch-token.js';
import { HeldBytes } from './held-bytes.js';
import type { Snapshot } from './snapshot.js';
import { ProxyMetrics } from './proxy-metrics.js';
import type { AlertSink } from './tell-refusal.js';
import { UnpricedCalls } from './unpriced-calls.js';
import { UpstreamPools } from './upstream-pools.js';

const MAX_CAPTURED_BYTES = 64 * 1024 * 1024;
/** Unusable keys that the log names. */
const MOST_KEYS_TOLD = 20;
const MAX_BODIES_BYTES = 512 * 1024 * 1024;

export interface DataPlaneParts {
  readonly settings: LiveSettings;
  readonly feed: RegistryFeed;
  /** Secret under which virtual keys are hashed. */
  readonly pepper: KeyObject;
  readonly budgets: CallBudgets;
  readonly alerts: AlertSink;
  readonly bodies: BodySink | null;
  readonly limiter: Limiter;
  readonly router: Router;
  readonly responses: ResponseOwners;
  readonly demo: DemoAddress | null;
  readonly log: Logger;
}

/**
 * Keeps a `DataPlane` current: each change of the configuration file or the registry is compiled into a new snapshot, which
 * replaces the old one in a single assignment.
 */
export class DataPlaneRunner {
  readonly plane: DataPlane;
  readonly #parts: DataPlaneParts;
  readonly #fileKeys: FileKeySecrets;
  readonly #overrides = new OverrideCompiler();
  readonly #tokens = new TokenClient(() => this.#egress);
  readonly #credentials = new CredentialCache(this.#tokens.fetchToken);
  #egress: EgressPolicy;
  #config: CompiledConfig;
  #owners = OwnerIndex.empty;
  #chains: ChainIndex | null = null;
  /** Asked when a target is chosen: by then there is a plane. */
  readonly #costOf: NominalCost = nominalCost(this);
  #toldUnusable = '';
  #unsubscribe: () => void;

  constructor(parts: DataPlaneParts) {
    this.#parts = parts;
    const { live, config } = parts.settings;
    this.#fileKeys = new FileKeySecrets(config.boot.dataDir);
    this.#egress = egressOf(live);
    const prices = bundledPriceTable();
    this.#config = compileConfig(live, parts.demo, prices, this.#credentials);
    const active = new ActiveCalls();
    const drains = new DrainRoom(config.boot.clientGoneCalls);
    this.plane = {
      snapshot: this.#snapshot(this.#config, parts.feed.current()),
      draining: false,
      isBlind: () => parts.feed.health().blind,
      pools: new UpstreamPools(() => this.#egress),
      budgets: parts.budgets,
      budgetSets: new BudgetSets(parts.budgets),
      alerts: parts.alerts,
      bodies: live.archive.bodies ? parts.bodies : null,
      heldCaptures: new HeldBytes(MAX_CAPTURED_BYTES),
      bodyLimitBytes: config.boot.bodyLimitBytes,
      heldBodies: new HeldBytes(MAX_BODIES_BYTES),
      limiter: parts.limiter,
      prices,
      router: parts.router,
      responses: parts.responses,
      unpriced: new UnpricedCalls(parts.log),
      active,
      drains,
      metrics: new ProxyMetrics(active, drains),
      log: parts.log,
    };
    parts.settings.subscribe((next) => this.#reconfigure(next));
    this.#unsubscribe = parts.feed.subscribe((registry) => {
      this.plane.snapshot = this.#snapshot(this.#config, registry);
    });
  }

  /** Everything that can fail comes first, so that a refused change leaves no half. */
  #reconfigure(live: LiveConfig): void {
    const config = compileConfig(live, this.#parts.demo, this.plane.prices, this.#credentials);
    const snapshot = this.#snapshot(config, this.#parts.feed.current());
    const egress = egressOf(live);
    const sameEgress = isDeepStrictEqual(live.egressAllow, this.#config.live.egressAllow);
    this.#config = config;
    this.#egress = egress;
    this.plane.bodies = live.archive.bodies ? this.#parts.bodies : null;
    this.plane.snapshot = snapshot;
    // Connections were judged when they were made: under other rules all are made anew.
    this.plane.pools.keepOnly(sameEgress ? config.providers : []);
  }

  #snapshot(config: CompiledConfig, registry: RegistryState): Snapshot {
    const owners = this.#owners.at(registry, config.live);
    if (owners !== this.#owners || config !== this.#config) this.#tellUnusable(config, registry, owners);
    this.#owners = owners;
    const fileKeys = this.#fileKeys.resolve(config.live.keys);
    const keys = compileKeys(registry, fileKeys, this.#parts.pepper, owners);
    const overrides = this.#overrides.compile(registry, config.live.prices);
    const { health } = this.#parts.router;
    this.#chains = chainsOf(this.#chains, config, registry, { health, costOf: this.#costOf });
    return snapshotOf(registry.version, config, { keys, owners, chains: this.#chains }, overrides);
  }

  /** Keys whose calls are refused for what an owner or the file has become, once for each such list. */
  #tellUnusable({ live }: CompiledConfig, registry: RegistryState, owners: OwnerIndex): void {
    const { count, named } = unusableKeys(registry, live.keys, owners, MOST_KEYS_TOLD);
    const told = JSON.stringify([count, named]);
    if (told === this.#toldUnusable) return;
    this.#toldUnusable = told;
    if (count > 0) this.#parts.log.warn({ count, keys: named }, 'keys cannot be used: their calls are refused');
  }

  /** Serves on, but tells callers to reconnect elsewhere; resolves when no call is left, some seconds after `drainMs` at the latest. */
  async drain(drainMs: number): Promise<void> {
    this.plane.draining = true;
    const left = await this.plane.active.drain(drainMs);
    if (left > 0)
      this.plane.log.error({ calls: left }, 'calls did not end when they were told to: they are left behind');
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.plane.pools.destroy();
    await this.#tokens.destroy();
  }
}

function egressOf(live: LiveConfig): EgressPolicy {
  return new EgressPolicy(live.egressAllow);
}
