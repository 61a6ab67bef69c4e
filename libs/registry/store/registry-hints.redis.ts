import type { Redis } from 'ioredis';
import type { RegistryHints } from '../registry-feed.js';
import { REGISTRY_CHANNEL } from './registry-mirror.redis.js';

/** Hints by pub/sub. `subscriber` is a connection of its own; it subscribes anew after each reconnect. */
export class RedisRegistryHints implements RegistryHints {
  constructor(private readonly subscriber: Redis) {}

  listen(onVersion: (version: number) => void): () => void {
    const subscribe = (): void => void this.subscriber.subscribe(REGISTRY_CHANNEL).catch(() => {});
    const onMessage = (channel: string, message: string): void => {
      const version = Number(message);
      if (channel === REGISTRY_CHANNEL && Number.isSafeInteger(version)) onVersion(version);
    };
    this.subscriber.on('ready', subscribe).on('message', onMessage);
    if (this.subscriber.status === 'ready') subscribe();
    return () => {
      this.subscriber.off('ready', subscribe).off('message', onMessage);
    };
  }
}
