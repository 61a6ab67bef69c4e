export { clusterSecret } from './cluster-secrets.js';
export { connectMongo } from './connect-mongo.js';
export { connectPostgres, type PostgresOptions } from './connect-postgres.js';
export { createRedis, redisReady, type RedisPurpose } from './connect-redis.js';
export { migrate, type MigrationResult } from './migrate.js';
export { startStores, type RunningStores, type StartStoresOptions } from './start-stores.js';
export { addressOf, type StoreUrls } from './store-urls.js';
