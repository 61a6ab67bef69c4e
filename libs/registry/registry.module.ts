import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import { newId } from '#libs/platform/ids.js';
import type { Logger } from '#libs/platform/logger.js';
import { POSTGRES, STORE_URLS, type StoreUrls } from '#libs/stores/index.js';
import { AuditController } from './http/audit.controller.js';
import { openRegistry, type OpenRegistryOptions, type Registry } from './open-registry.js';
import { RegistryWriter } from './registry-writer.js';

/** Nest token of the `RegistryFeed`. */
export const REGISTRY_FEED = Symbol('REGISTRY_FEED');
const REGISTRY = Symbol('REGISTRY');

class OpenRegistry implements OnApplicationShutdown {
  constructor(readonly registry: Registry) {}

  onApplicationShutdown(): Promise<void> {
    return this.registry.close();
  }
}

/**
 * The registry for a Nest application, global: `REGISTRY_FEED` and `RegistryWriter`, and the audit log's API (`/api/audit`). Its first state is loaded before anything
 * that asks for the feed is made. Needs `StoresModule`.
 */
@Module({})
export class RegistryModule {
  static forRoot(log: Logger): DynamicModule {
    const open = async (postgres: OpenRegistryOptions['postgres'], urls: StoreUrls): Promise<OpenRegistry> =>
      new OpenRegistry(await openRegistry({ postgres, urls, clock: systemClock, log, instanceId: newId('inst') }));
    return {
      module: RegistryModule,
      global: true,
      controllers: [AuditController],
      providers: [
        { provide: REGISTRY, inject: [POSTGRES, STORE_URLS], useFactory: open },
        { provide: REGISTRY_FEED, inject: [REGISTRY], useFactory: ({ registry }: OpenRegistry) => registry.feed },
        { provide: RegistryWriter, inject: [REGISTRY], useFactory: ({ registry }: OpenRegistry) => registry.writer },
      ],
      exports: [REGISTRY_FEED, RegistryWriter],
    };
  }
}
