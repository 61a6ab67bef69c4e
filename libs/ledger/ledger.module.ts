import { Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { systemClock } from '#libs/platform/clock.js';
import type { Logger } from '#libs/platform/logger.js';
import { MONGO, POSTGRES, timePartitions } from '#libs/stores/index.js';
import { LogsController } from './http/logs.controller.js';
import { SpendController } from './http/spend.controller.js';
import { BodyReader } from './read-bodies.js';
import { LOG_FACETS } from './store/archive.js';
import { MongoArchive } from './store/archive.mongo.js';
import { PostgresArchive } from './store/archive.postgres.js';
import { PostgresSpendReports } from './store/spend-reports.postgres.js';
import { PostgresUsageLog } from './store/usage-log.postgres.js';
import { LEDGER_CLOCK, SPEND_REPORTS, USAGE_LOG, ZONE_OF_ORG, type ZoneOfOrg } from './tokens.js';

type Source = ConstructorParameters<typeof PostgresUsageLog>[0];
type Mongo = ConstructorParameters<typeof MongoArchive>[0];

export interface LedgerModuleOptions {
  readonly logger: Logger;
  /** How long bodies are kept now; asked at each look-up, as it may change without a restart. */
  readonly archiveRetentionDays: () => number;
  /** How to get the organisations' zones in this app. */
  readonly zoneOfOrg: Pick<FactoryProvider<ZoneOfOrg>, 'inject' | 'useFactory'>;
}

/** The admin API of the log (`/api/logs`) and of spend (`/api/spend`) on the connections of the (global) `StoresModule`. */
@Module({})
export class LedgerModule {
  static forRoot({ logger, archiveRetentionDays, zoneOfOrg }: LedgerModuleOptions): DynamicModule {
    return {
      module: LedgerModule,
      controllers: [LogsController, SpendController],
      providers: [
        { provide: USAGE_LOG, inject: [POSTGRES], useFactory: (source: Source) => new PostgresUsageLog(source) },
        {
          provide: SPEND_REPORTS,
          inject: [POSTGRES],
          useFactory: (source: Source) => new PostgresSpendReports(source),
        },
        { provide: ZONE_OF_ORG, ...zoneOfOrg },
        { provide: LEDGER_CLOCK, useValue: systemClock },
        {
          provide: BodyReader,
          inject: [POSTGRES, MONGO],
          useFactory: (source: Source, mongo: Mongo | null) => {
            const archive =
              mongo === null
                ? new PostgresArchive(source, LOG_FACETS, timePartitions(source, 'archive_records', 'month'))
                : new MongoArchive(mongo, LOG_FACETS);
            return new BodyReader(archive, logger, archiveRetentionDays);
          },
        },
      ],
    };
  }
}
