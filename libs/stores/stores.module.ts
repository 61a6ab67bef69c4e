import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { DataSource } from 'typeorm';
import { connectMongo } from './connect-mongo.js';
import { connectPostgres, type PostgresOptions } from './connect-postgres.js';
import { createRedis, redisReady } from './connect-redis.js';
import type { StoreUrls } from './store-urls.js';
import { MONGO, POSTGRES, REDIS, STORE_URLS } from './tokens.js';

export interface StoresModuleOptions {
  /** Which role the process works as: the gateway as `app`, the worker (partitions) as `owner`. */
  readonly role: 'app' | 'owner';
  readonly postgres: PostgresOptions;
  /** Connect to MongoDB too (worker, and the gateway where it reads bodies); default true when there is a URL. */
  readonly mongodb?: boolean;
}

/** Closes what the module opened, after every other module has let go. */
class OpenStores implements OnApplicationShutdown {
  constructor(
    private readonly postgres: DataSource,
    private readonly redis: Redis,
    private readonly mongo: Connection | null,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    this.redis.disconnect();
    await Promise.allSettled([this.postgres.destroy(), this.mongo?.close()]);
  }
}

/**
 * Connections to the stores for a Nest application, global, under the tokens `POSTGRES` (DataSource), `REDIS` (ioredis
 * for commands), `MONGO` (mongoose connection or `null`) and `STORE_URLS`. They are open before anything is injected and
 * close on shutdown (`app.enableShutdownHooks()` or `app.close()`).
 */
@Module({})
export class StoresModule {
  static forRoot(urls: StoreUrls, options: StoresModuleOptions): DynamicModule {
    const { mongodb } = urls;
    return {
      module: StoresModule,
      global: true,
      providers: [
        { provide: STORE_URLS, useValue: urls },
        {
          provide: POSTGRES,
          useFactory: () =>
            connectPostgres(options.role === 'owner' ? urls.postgresOwner : urls.postgres, options.postgres),
        },
        { provide: REDIS, useFactory: () => redisReady(createRedis(urls.redis, 'commands'), urls.redis) },
        {
          provide: MONGO,
          useFactory: () => (mongodb === null || options.mongodb === false ? null : connectMongo(mongodb)),
        },
        {
          provide: OpenStores,
          inject: [POSTGRES, REDIS, MONGO],
          useFactory: (postgres: DataSource, redis: Redis, mongo: Connection | null) =>
            new OpenStores(postgres, redis, mongo),
        },
      ],
      exports: [POSTGRES, REDIS, MONGO, STORE_URLS],
    };
  }
}
