import os from 'node:os';
import { RedisEntryReader, WORKER_GROUP, type EntryReader } from '#libs/ledger/index.js';
import type { Secret } from '#libs/platform/secret.js';
import { createRedis, redisReady } from '#libs/stores/index.js';

/** A member of the workers' group on one stream, with connections of its own that `opened` closes. */
export async function openReader(
  url: Secret,
  options: { readonly stream: string; readonly count: number; readonly deadAfterMs: number },
  opened: AsyncDisposableStack,
): Promise<EntryReader> {
  const blocking = createRedis(url, 'blocking');
  opened.defer(() => blocking.disconnect());
  const redis = createRedis(url, 'background');
  opened.defer(() => redis.disconnect());
  await Promise.all([redisReady(blocking, url), redisReady(redis, url)]);
  return new RedisEntryReader({ blocking, redis, group: WORKER_GROUP, consumer: os.hostname(), ...options });
}
