import type { Clock } from '#libs/platform/clock.js';
import type { Logger } from '#libs/platform/logger.js';
import { createRedis, redisReady, type connectPostgres, type StoreUrls } from '#libs/stores/index.js';
import { PollingRegistryFeed, type FeedEvent, type RegistryFeed } from './registry-feed.js';
import { RegistryWriter } from './registry-writer.js';
import { RedisRegistryHints } from './store/registry-hints.redis.js';
import { RedisRegistryMirror } from './store/registry-mirror.redis.js';
import { PostgresRegistryStore } from './store/registry.postgres.js';

/** The registry as one process uses it. */
export interface Registry {
  readonly feed: RegistryFeed;
  readonly writer: RegistryWriter;
  /** Stops following and closes the connections it opened. */
  close(): Promise<void>;
}

export interface OpenRegistryOptions {
  readonly postgres: Awaited<ReturnType<typeof connectPostgres>>;
  readonly urls: StoreUrls;
  readonly clock: Clock;
  readonly log: Logger;
  /** `inst_…`: this replica's name in the list of replicas. */
  readonly instanceId: string;
}

/**
 * Connects the registry and loads its first state; from then on `feed.current()` is never empty. Rejects when a store cannot
 * be reached at start. Opens two Redis connections of its own: the feed must not queue behind the hot path, nor the other way.
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<Registry> {
  const { urls, clock, instanceId } = options;
  const log = options.log.child({ part: 'registry' });
  const redis = createRedis(urls.redis, 'background');
  const subscriber = createRedis(urls.redis, 'subscriber');
  const disconnect = (): void => {
    redis.disconnect();
    subscriber.disconnect();
  };
  try {
    await redisReady(redis, urls.redis);
    const store = new PostgresRegistryStore(options.postgres, clock);
    const mirror = new RedisRegistryMirror(redis);
    const hints = new RedisRegistryHints(subscriber);
    const onEvent = (event: FeedEvent): void => tell(log, event);
    const feed = new PollingRegistryFeed({ store, mirror, hints, clock, instanceId, onEvent });
    await feed.start();
    return {
      feed,
      writer: new RegistryWriter(store, mirror, feed),
      close: async () => {
        await feed.stop();
        disconnect();
      },
    };
  } catch (error) {
    disconnect();
    throw error;
  }
}

function tell(log: Logger, event: FeedEvent): void {
  const { type, ...fields } = event;
  switch (type) {
    case 'applied':
      return log.debug(fields, 'a new registry version is in force');
    case 'store_up':
      return log.info(fields, 'a store answers again');
    case 'store_down':
      return log.warn(fields, 'a store does not answer; the registry in memory stays in force');
    case 'refused':
      return log.warn(fields, 'Redis holds an older registry, which is not taken over');
    case 'failed':
      return log.error(fields, 'following the registry failed');
  }
}
