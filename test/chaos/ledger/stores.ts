// A bundled PostgreSQL and a bundled Valkey that can be killed, frozen and emptied, and come back at the same address.
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  startEmbeddedPostgres,
  startEmbeddedRedis,
  type EmbeddedPostgres,
  type EmbeddedRedis,
} from '#libs/stores/testing.js';

const SNAPSHOT_MS = 1000;

export class ChaosStores {
  readonly #folder: string;
  #postgres!: EmbeddedPostgres;
  #redis!: EmbeddedRedis;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(): Promise<void> {
    [this.#postgres, this.#redis] = await Promise.all([this.#startPostgres(), this.#startRedis()]);
  }

  get postgresUrl() {
    return this.#postgres.urls.owner;
  }

  get redisUrl() {
    return this.#redis.url;
  }

  #startPostgres(port?: number): Promise<EmbeddedPostgres> {
    const folder = path.join(this.#folder, 'postgres');
    return startEmbeddedPostgres({ folder, wanted: 'bundled', ...(port === undefined ? {} : { port }) });
  }

  #startRedis(port?: number): Promise<EmbeddedRedis> {
    const folder = path.join(this.#folder, 'redis');
    const options = { folder, wanted: 'bundled', saveIntervalMs: SNAPSHOT_MS } as const;
    return startEmbeddedRedis({ ...options, ...(port === undefined ? {} : { port }) });
  }

  /** `kill -9`; what came after the last snapshot is gone. */
  async killRedis(): Promise<void> {
    const dead = this.#redis;
    process.kill(dead.pid, 'SIGKILL');
    await dead.ended;
    await dead.stop(); // lets go of the folder
    const { port } = dead;
    this.#redis = await again(() => this.#startRedis(port));
  }

  /** `kill -9` of the postmaster; it recovers from its log. */
  async killPostgres(): Promise<void> {
    const dead = this.#postgres;
    process.kill(dead.pid, 'SIGKILL');
    await dead.ended;
    await dead.stop();
    const { port } = dead;
    this.#postgres = await again(() => this.#startPostgres(port));
  }

  async freezeRedis(forMs: number): Promise<void> {
    const { pid } = this.#redis;
    process.kill(pid, 'SIGSTOP');
    await sleep(forMs);
    process.kill(pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await Promise.all([this.#redis.stop(), this.#postgres.stop()]);
  }
}

/** What died without warning may hold its folder or port a moment longer. */
async function again<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === 10) throw error;
      await sleep(500);
    }
  }
}
