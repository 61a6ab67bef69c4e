import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import { REGISTRY_FEED, RegistryWriter, type RegistryFeed } from '#libs/registry/index.js';
import { PricesController } from './http/prices.controller.js';
import { PriceAdmin, type PriceSources } from './price-admin.js';

const PRICE_SOURCES = Symbol('PRICE_SOURCES');

/** The admin API of prices (`/api/prices`). Needs `RegistryModule`. */
@Module({})
export class PriceAdminModule {
  /** `sources`: how to get the `PriceSources` in this app. */
  static forRoot({
    imports = [],
    ...sources
  }: Pick<FactoryProvider<PriceSources>, 'inject' | 'useFactory'> & Pick<DynamicModule, 'imports'>): DynamicModule {
    return {
      module: PriceAdminModule,
      imports,
      controllers: [PricesController],
      providers: [
        { provide: PRICE_SOURCES, ...sources },
        {
          provide: PriceAdmin,
          inject: [RegistryWriter, REGISTRY_FEED, PRICE_SOURCES],
          useFactory: (writer: RegistryWriter, feed: RegistryFeed, from: PriceSources) =>
            new PriceAdmin(writer, feed, from, systemClock),
        },
      ],
    };
  }
}
