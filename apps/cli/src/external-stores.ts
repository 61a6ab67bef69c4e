import { Secret } from '#libs/platform/secret.js';
import type { SmartflowConfig } from '#libs/platform/config.js';
import type { StoreUrls } from '#libs/stores/index.js';

/**
 * The stores of a process that runs without a supervisor: all of them external. Throws with a sentence that names every
 * setting that is missing, since embedded stores belong to `smartflow serve`.
 */
export function externalStores({ boot }: SmartflowConfig, needed: readonly ('postgres' | 'redis')[]): StoreUrls {
  const missing = needed.filter((name) => !(boot.stores[name] instanceof Secret));
  if (missing.length > 0) {
    const variables = missing.map((name) => (name === 'postgres' ? 'DATABASE_URL' : 'REDIS_URL'));
    throw new Error(
      `this command works on external stores: set ${variables.join(' and ')} (or "stores" in the configuration file); ` +
        `embedded stores are run by smartflow serve`,
    );
  }
  const urlOf = (name: 'postgres' | 'redis'): Secret => {
    const value = boot.stores[name];
    return value instanceof Secret ? value : new Secret('');
  };
  return {
    postgres: urlOf('postgres'),
    postgresOwner: urlOf('postgres'),
    redis: urlOf('redis'),
    mongodb: boot.stores.mongodb,
  };
}
