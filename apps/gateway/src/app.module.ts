import { Module, type DynamicModule } from '@nestjs/common';
import { KeysModule, type FileKeys } from '#libs/keys-budgets/index.js';
import { LedgerModule } from '#libs/ledger/index.js';
import type { Logger } from '#libs/platform/logger.js';
import { RegistryModule } from '#libs/registry/index.js';
import { RoutingAdminModule, RoutingModule } from '#libs/routing/index.js';
import { StoresModule, type StoreUrls } from '#libs/stores/index.js';
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
    const fileKeys = {
      inject: [LIVE_SETTINGS],
      useFactory:
        (live: LiveSettings): FileKeys =>
        () =>
          live.live.keys,
    };
    return {
      module: AppModule,
      imports: [
        ProcessModule.forRoot(settings, log),
        StoresModule.forRoot(urls, { role: 'app', postgres: { poolSize: 10, applicationName: 'smartflow-gateway' } }),
        RegistryModule.forRoot(log),
        KeysModule.forRoot(fileKeys),
        LedgerModule.forRoot({ logger: log, archiveRetentionDays: () => settings.live.archive.retentionDays }),
        RoutingModule.forRoot(),
        ProxyModule,
        RoutingAdminModule.forRoot({
          imports: [ProxyModule],
          inject: [LIVE_SETTINGS, DataPlaneRunner],
          useFactory: routingSource,
        }),
        AdminModule,
      ],
    };
  }
}
