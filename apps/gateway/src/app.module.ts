import { Module, type DynamicModule } from '@nestjs/common';
import { AlertsModule } from '#libs/alerts/index.js';
import { KeysModule, OwnerIndex, type BudgetSums, type Declared, type KeyUses } from '#libs/keys-budgets/index.js';
import { LedgerModule, PostgresBudgetSums, PostgresKeyUse, type ZoneOfOrg } from '#libs/ledger/index.js';
import { EgressPolicy } from '#libs/platform/egress.js';
import type { Logger } from '#libs/platform/logger.js';
import { PriceAdminModule, type PriceSources } from '#libs/price-admin/index.js';
import { REGISTRY_FEED, RegistryModule, type RegistryFeed } from '#libs/registry/index.js';
import { RoutingAdminModule, RoutingModule } from '#libs/routing/index.js';
import { POSTGRES, REDIS, StoresModule, type StoreUrls } from '#libs/stores/index.js';
import { AdminModule } from './admin/admin.module.js';
import { LIVE_SETTINGS, type LiveSettings } from './live-settings.js';
import { ProcessModule } from './process.module.js';
import { DataPlaneRunner } from './proxy/data-plane-runner.js';
import { ProxyModule } from './proxy/proxy.module.js';
import { routingSource } from './routing-source.js';

export interface AppParts {
  readonly settings: LiveSettings;
  readonly urls: StoreUrls;
  readonly log: Logger;
}

/** Lists the modules of the gateway, nothing else. */
@Module({})
export class AppModule {
  static forRoot({ settings, urls, log }: AppParts): DynamicModule {
    const declared = {
      inject: [LIVE_SETTINGS],
      useFactory:
        (live: LiveSettings): Declared =>
        () =>
          live.live,
    };
    const zoneOfOrg = { inject: [REGISTRY_FEED, LIVE_SETTINGS], useFactory: zonesOf };
    const policy = { inject: [LIVE_SETTINGS], useFactory: policyOf };
    const keyUses = { inject: [POSTGRES], useFactory: keyUsesOf };
    const budgetSums = { inject: [POSTGRES, REDIS], useFactory: budgetSumsOf };
    const priceSources = {
      imports: [ProxyModule],
      inject: [LIVE_SETTINGS, DataPlaneRunner],
      useFactory: (live: LiveSettings, runner: DataPlaneRunner): PriceSources => ({
        filePrices: () => live.live.prices,
        providers: () => live.live.providers,
        table: runner.plane.prices,
      }),
    };
    return {
      module: AppModule,
      imports: [
        ProcessModule.forRoot(settings, log),
        StoresModule.forRoot(urls, { role: 'app', postgres: { poolSize: 10, applicationName: 'smartflow-gateway' } }),
        RegistryModule.forRoot(log),
        KeysModule.forRoot({ declared, keyUses, budgetSums }),
        LedgerModule.forRoot({
          logger: log,
          archiveRetentionDays: () => settings.live.archive.retentionDays,
          zoneOfOrg,
        }),
        AlertsModule.forRoot({ policy }),
        RoutingModule.forRoot(),
        ProxyModule,
        RoutingAdminModule.forRoot({
          imports: [ProxyModule],
          inject: [LIVE_SETTINGS, DataPlaneRunner],
          useFactory: routingSource,
        }),
        PriceAdminModule.forRoot(priceSources),
        AdminModule,
      ],
    };
  }
}

/** The organisations' own time zones, as their settings stand now. */
function zonesOf(feed: RegistryFeed, settings: LiveSettings): ZoneOfOrg {
  let owners = OwnerIndex.empty;
  return (orgId) => (owners = owners.at(feed.current(), settings.live)).org(orgId).timeZone;
}

/** Where messages may be sent, as the file says now. */
function policyOf(settings: LiveSettings): () => EgressPolicy {
  return () => new EgressPolicy(settings.live.egressAllow);
}
type SumsArgs = ConstructorParameters<typeof PostgresBudgetSums>;
const budgetSumsOf = (...stores: SumsArgs): BudgetSums => new PostgresBudgetSums(...stores);

/** The ledger's knowledge of keys, in the form in which the keys' API asks for it. */
function keyUsesOf(source: ConstructorParameters<typeof PostgresKeyUse>[0]): KeyUses {
  const store = new PostgresKeyUse(source);
  return {
    async of(orgId, keyIds) {
      const [lastUsed, spent] = await Promise.all([store.lastUsed(orgId, keyIds), store.spent(orgId, keyIds)]);
      return new Map(
        keyIds.map((id) => [id, { lastUsedAtMs: lastUsed.get(id) ?? null, spentNanos: spent.get(id) ?? 0n }]),
      );
    },
  };
}
