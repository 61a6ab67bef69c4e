export { budgetKeys, ROW_ACKS, ROW_STREAM, type BudgetKeys } from './budget-keys.js';
export { checkMongo, checkPostgres, checkRedis } from './check-external.js';
export { clusterSecret } from './cluster-secrets.js';
export { connectMongo } from './connect-mongo.js';
export { connectPostgres, type PostgresOptions } from './connect-postgres.js';
export { createRedis, redisReady, type RedisPurpose } from './connect-redis.js';
export { FolderInUseError, lockFolder, type FolderLock } from './folder-lock.js';
export { migrate, type MigrationResult } from './migrate.js';
export { startStores, type RunningStores, type StartStoresOptions } from './start-stores.js';
export { addressOf, type StoreUrls } from './store-urls.js';
export { commandLineHas, endProcess, isAlive } from './processes.js';
export { storeHealth, type HealthSources, type StoresHealth, type StoreState } from './store-health.js';
export { StoresModule, type StoresModuleOptions } from './stores.module.js';
export { MONGO, POSTGRES, REDIS, STORE_URLS } from './tokens.js';
export {
  partitionClause,
  timePartitioner,
  timePartitions,
  timeSeriesLevel,
  type TablePartitions,
} from './partitioner.js';
export type { PartitionPeriod, PremakeResult, TimePartitioner, TimeSeriesLevel } from './time-partitioner.js';
