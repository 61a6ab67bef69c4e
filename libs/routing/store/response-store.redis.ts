import type { Redis } from 'ioredis';
import type { ResponseStore } from '../response-owners.js';

/** OpenAI keeps stored answers for 30 days. */
const KEEP_S = 30 * 24 * 60 * 60;

/** Makers of stored answers in Redis. Evicted when memory is short: then such a call is routed like any other. */
export class RedisResponseStore implements ResponseStore {
  /** @param redis should time commands out soon (purpose `commands`): a call may wait for `find` */
  constructor(private readonly redis: Redis) {}

  async keep(key: string, target: string): Promise<void> {
    await this.redis.set(`sf:{routing}:made:${key}`, target, 'EX', KEEP_S);
  }

  find(key: string): Promise<string | null> {
    return this.redis.get(`sf:{routing}:made:${key}`);
  }
}
