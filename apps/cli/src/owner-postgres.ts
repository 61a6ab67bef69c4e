import type { SmartflowConfig } from '#libs/platform/config.js';
import { Secret } from '#libs/platform/secret.js';
import { migrate, startStores } from '#libs/stores/index.js';
import { takeDataDir } from './serve/prepare-data-dir.js';

/** A PostgreSQL that a command may change, until it closes it. */
export interface OwnerPostgres {
  readonly url: Secret;
  close(): Promise<void>;
}

/**
 * The database of an installation: the external one, or the embedded one, which is started for the time of the command.
 * Rejects with a sentence when a running Smartflow holds the data folder.
 */
export async function openOwnerPostgres({ boot }: SmartflowConfig): Promise<OwnerPostgres> {
  const { postgres } = boot.stores;
  if (postgres instanceof Secret) return { url: postgres, close: async () => {} };
  await using opened = new AsyncDisposableStack();
  const lock = await takeDataDir(boot.dataDir);
  opened.defer(() => lock.release());
  const stores = await startStores({ dataDir: boot.dataDir, stores: boot.stores });
  opened.defer(() => stores.stop());
  await migrate(stores.urls.postgresOwner);
  const kept = opened.move();
  return { url: stores.urls.postgresOwner, close: () => kept.disposeAsync() };
}
