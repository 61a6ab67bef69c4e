import { setTimeout as sleep } from 'node:timers/promises';
import type { Secret } from '#libs/platform/secret.js';
import { connectMongo } from './connect-mongo.js';
import { connectPostgres } from './connect-postgres.js';
import { createRedis, redisReady } from './connect-redis.js';
import { addressOf } from './store-urls.js';

/** A store that is being started together with us (compose, pods) is given this long. */
const WAIT_MS = 10_000;
const OLDEST_POSTGRES = 15;
const OLDEST_REDIS = [6, 2] as const;

/** Connects once to an external PostgreSQL; answers its version. Rejects with a sentence naming host and port. */
export async function checkPostgres(url: Secret, waitMs: number = WAIT_MS): Promise<string> {
  return retrying(waitMs, async () => {
    const source = await connectPostgres(url, { poolSize: 1, applicationName: 'smartflow-check' });
    try {
      const rows = (await source.query('SHOW server_version')) as { server_version: string }[];
      const version = /^[\d.]+/.exec(rows[0]?.server_version ?? '')?.[0] ?? '?';
      if (Number.parseInt(version, 10) < OLDEST_POSTGRES) {
        throw new Unfit(`PostgreSQL at ${addressOf(url)} is ${version}; ${OLDEST_POSTGRES} or newer is needed`);
      }
      return version;
    } finally {
      await source.destroy();
    }
  });
}

/**
 * Connects once to an external Redis; answers its name. Rejects with a sentence when it may drop keys that do not expire, or
 * refuses INFO: money in it could vanish unseen.
 */
export async function checkRedis(url: Secret, waitMs: number = WAIT_MS): Promise<string> {
  return retrying(waitMs, async () => {
    const redis = createRedis(url, 'background');
    try {
      await redisReady(redis, url, 2000);
      const info = await redis.info().catch((error: Error) => {
        if (!/NOPERM|not allowed|unknown command/i.test(error.message)) throw error;
        throw new Unfit(
          `Redis at ${addressOf(url)} refuses INFO to its user, and without it a restart from older data would go ` +
            `unnoticed: grant it, e.g. ACL SETUSER <user> +info +eval +evalsha`,
        );
      });
      const field = (name: string): string | null => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? null;
      const valkey = field('valkey_version');
      const version = field('redis_version') ?? '0';
      const [major = 0, minor = 0] = version.split('.').map(Number);
      if (major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1])) {
        throw new Unfit(`Redis at ${addressOf(url)} is ${version}; ${OLDEST_REDIS.join('.')} or newer is needed`);
      }
      const policy = field('maxmemory_policy') ?? 'unknown';
      if (policy.startsWith('allkeys-')) {
        throw new Unfit(
          `Redis at ${addressOf(url)} has maxmemory-policy ${policy} and may drop keys and the counters of budgets: ` +
            `set noeviction or volatile-lru`,
        );
      }
      return valkey === null ? `Redis ${version}` : `Valkey ${valkey}`;
    } finally {
      redis.disconnect();
    }
  });
}

/** Connects once to an external MongoDB. */
export async function checkMongo(url: Secret, waitMs: number = WAIT_MS): Promise<void> {
  return retrying(waitMs, async () => {
    const connection = await connectMongo(url);
    await connection.close();
  });
}

/** Not to be tried again. */
class Unfit extends Error {}

/** What no waiting mends: wrong password, unknown database, a URL that cannot be read. */
const FINAL =
  /password authentication failed|does not exist|WRONGPASS|NOAUTH|NOPERM|Authentication failed|Invalid (URL|scheme)/i;

async function retrying<T>(waitMs: number, attempt: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof Unfit || FINAL.test(message) || performance.now() + 500 > giveUpAt) throw error;
      await sleep(500);
    }
  }
}
