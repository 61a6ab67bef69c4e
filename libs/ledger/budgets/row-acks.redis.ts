import type { Redis } from 'ioredis';
import { ROW_ACKS, ROW_STREAM } from '#libs/stores/index.js';

/** What the worker tells the processes about their rows, and whether any are still on their way. */
export class RedisRowAcks {
  readonly #redis: Redis;

  /** @param redis purpose `background` */
  constructor(redis: Redis) {
    this.#redis = redis;
  }

  /** How far each process's spool is committed. An older number does no harm: the process keeps the highest. */
  async tell(acked: ReadonlyMap<string, number>): Promise<void> {
    if (acked.size > 0) await this.#redis.hset(ROW_ACKS, Object.fromEntries(acked));
  }

  /** When the oldest row batch that no worker has committed was shipped, by the store's clock (ms); Infinity when none is left. */
  async oldestMs(): Promise<number> {
    const [first] = await this.#redis.xrange(ROW_STREAM, '-', '+', 'COUNT', 1);
    return first === undefined ? Infinity : Number.parseInt(first[0], 10);
  }
}
