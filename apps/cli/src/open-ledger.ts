import { PostgresBudgetLedger } from '#libs/ledger/index.js';
import type { SmartflowConfig } from '#libs/platform/config.js';
import { createLogger } from '#libs/platform/logger.js';
import { Secret } from '#libs/platform/secret.js';
import { connectPostgres, createRedis, migrate, redisReady, startStores, type StoreUrls } from '#libs/stores/index.js';
import { noteCorrection, type Correction } from './note-correction.js';
import { takeDataDir } from './serve/prepare-data-dir.js';

/** The durable side of the budgets, for a command that changes it, until it is closed. */
export interface OpenLedger {
  readonly ledger: PostgresBudgetLedger;
  /** Puts on record what the command is about to change. */
  note(correction: Correction): Promise<void>;
  close(): Promise<void>;
}

/**
 * The ledger of an installation: on its external stores, or on the embedded ones, which are started for the time of the
 * command. Rejects with a sentence when a running Smartflow holds the data folder, or a store cannot be reached.
 */
export async function openLedger(config: SmartflowConfig): Promise<OpenLedger> {
  await using opened = new AsyncDisposableStack();
  const urls = await storesOf(config, opened);
  const source = await connectPostgres(urls.postgresOwner, { poolSize: 2, applicationName: 'smartflow-cli' });
  opened.defer(() => source.destroy());
  const redis = createRedis(urls.redis, 'background');
  opened.defer(() => redis.disconnect());
  await redisReady(redis, urls.redis);
  const logger = createLogger({ level: 'error', name: 'cli' });
  const ledger = new PostgresBudgetLedger({ source, redis, logger });
  const kept = opened.move();
  return { ledger, note: (correction) => noteCorrection(source, correction), close: () => kept.disposeAsync() };
}

async function storesOf(
  { boot }: SmartflowConfig,
  opened: AsyncDisposableStack,
): Promise<Pick<StoreUrls, 'postgresOwner' | 'redis'>> {
  const { postgres, redis } = boot.stores;
  if (postgres instanceof Secret && redis instanceof Secret) return { postgresOwner: postgres, redis };
  const lock = await takeDataDir(boot.dataDir);
  opened.defer(() => lock.release());
  const stores = await startStores({ dataDir: boot.dataDir, stores: boot.stores });
  opened.defer(() => stores.stop());
  await migrate(stores.urls.postgresOwner);
  return stores.urls;
}
