import { statSync } from 'node:fs';
import path from 'node:path';
import type { BootConfig } from '#libs/platform/config.js';
import type { Secret } from '#libs/platform/secret.js';
import { checkMongo, checkPostgres, checkRedis } from './check-external.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres/launch.js';
import type { EmbeddedRedis } from './embedded-valkey/embedded-redis.js';
import { startEmbeddedRedis } from './embedded-valkey/launch.js';
import { lockFolder } from './folder-lock.js';
import { keepRunning, type KeptServer } from './keep-running.js';
import { addressOf, type StoreUrls } from './store-urls.js';

export interface StartStoresOptions {
  /** Absolute path; made when missing. Belongs to this process until `stop()`. */
  readonly dataDir: string;
  readonly stores: BootConfig['stores'];
  /** Lines for the operator; those that need attention begin with `warning: `. */
  readonly onProgress?: (message: string) => void;
}

export interface RunningStores {
  readonly urls: StoreUrls;
  /** One line per store for the banner and the health page, without secrets. */
  readonly descriptions: { readonly postgres: string; readonly redis: string; readonly archive: string };
  /**
   * Called when an embedded store is lost: it ended and could not be restarted on its address. Ends that could be mended
   * are only reported as progress; clients reconnect by themselves. A listener that comes late is told too.
   */
  onFailure(listener: (store: string, why: string) => void): void;
  /** Stops what was started here: half a second as a rule, 32 s at worst. External stores are left alone. */
  stop(): Promise<void>;
}

const OWNER_WAIT_MS = 2000;

/**
 * Makes the stores available: an external URL is checked (10 s at most) and used as given, everything else is started
 * below `dataDir`. Embedded servers keep their address for as long as this process runs, also when they crash and are
 * started again.
 *
 * Rejects with a sentence for the operator: the data folder is in use (by which process), a store cannot be reached
 * (which host and port), the bundled server cannot run here (why and what to do). Nothing is left running then.
 */
export async function startStores(options: StartStoresOptions): Promise<RunningStores> {
  const lock = await lockFolder(options.dataDir, OWNER_WAIT_MS);
  if (process.getuid?.() === 0 && statSync(options.dataDir).uid !== 0) {
    options.onProgress?.(
      `warning: ${options.dataDir} belongs to another account; what root makes in it that one cannot use`,
    );
  }
  const watch = new FailureWatch();
  const [postgres, redis, mongo] = await Promise.allSettled([
    openPostgres(options, watch),
    openRedis(options, watch),
    openMongo(options),
  ]);
  const close = async (): Promise<void> => {
    await Promise.allSettled([stopIfOpen(postgres), stopIfOpen(redis)]);
    lock.release();
  };
  const failed = [postgres, redis, mongo].find((opened) => opened.status === 'rejected');
  if (postgres.status !== 'fulfilled' || redis.status !== 'fulfilled' || mongo.status !== 'fulfilled') {
    await close();
    throw failed?.reason;
  }
  return {
    urls: { ...postgres.value.urls, redis: redis.value.url, mongodb: options.stores.mongodb },
    descriptions: {
      postgres: postgres.value.description,
      redis: redis.value.description,
      archive: mongo.value,
    },
    onFailure: (listener) => watch.listen(listener),
    stop: close,
  };
}

async function stopIfOpen(opened: PromiseSettledResult<{ stop(): Promise<void> }>): Promise<void> {
  if (opened.status === 'fulfilled') await opened.value.stop();
}

interface OpenPostgres {
  readonly urls: { readonly postgres: Secret; readonly postgresOwner: Secret };
  readonly description: string;
  stop(): Promise<void>;
}

async function openPostgres(options: StartStoresOptions, watch: FailureWatch): Promise<OpenPostgres> {
  const { dataDir, stores, onProgress } = options;
  if (typeof stores.postgres === 'object') {
    const url = stores.postgres;
    const version = await checkPostgres(url);
    return {
      urls: { postgres: url, postgresOwner: url },
      description: `PostgreSQL ${version} at ${addressOf(url)}`,
      stop: async () => {},
    };
  }
  const launch = { folder: path.join(dataDir, 'postgres'), wanted: stores.postgres, ...(onProgress && { onProgress }) };
  const server = await startEmbeddedPostgres(launch);
  const kept = keep<EmbeddedPostgres>('postgres', server, (port) => startEmbeddedPostgres({ ...launch, port }), {
    options,
    watch,
  });
  return {
    urls: { postgres: server.urls.app, postgresOwner: server.urls.owner },
    description: server.description,
    stop: () => kept.stop(),
  };
}

interface OpenRedis {
  readonly url: Secret;
  readonly description: string;
  stop(): Promise<void>;
}

async function openRedis(options: StartStoresOptions, watch: FailureWatch): Promise<OpenRedis> {
  const { dataDir, stores, onProgress } = options;
  if (typeof stores.redis === 'object') {
    const url = stores.redis;
    const name = await checkRedis(url);
    return { url, description: `${name} at ${addressOf(url)}`, stop: async () => {} };
  }
  const launch = { folder: path.join(dataDir, 'redis'), wanted: stores.redis, ...(onProgress && { onProgress }) };
  const server = await startEmbeddedRedis(launch);
  const kept = keep<EmbeddedRedis>('redis', server, (port) => startEmbeddedRedis({ ...launch, port }), {
    options,
    watch,
  });
  return { url: server.url, description: server.description, stop: () => kept.stop() };
}

/** The archive's description. */
async function openMongo({ stores }: StartStoresOptions): Promise<string> {
  if (stores.mongodb === null) return 'bodies in PostgreSQL';
  await checkMongo(stores.mongodb);
  return `MongoDB at ${addressOf(stores.mongodb)}`;
}

function keep<S extends EmbeddedPostgres | EmbeddedRedis>(
  store: string,
  server: S,
  restart: (port: number) => Promise<S>,
  { options, watch }: { options: StartStoresOptions; watch: FailureWatch },
): KeptServer {
  return keepRunning(server, restart, {
    onRestart: (why) => options.onProgress?.(`warning: the embedded ${store} ended (${why}) and was started again`),
    onLost: (why) => watch.fail(store, why),
  });
}

/** Remembers failures for listeners that come late. */
class FailureWatch {
  readonly #failures: [store: string, why: string][] = [];
  readonly #listeners: ((store: string, why: string) => void)[] = [];

  fail(store: string, why: string): void {
    this.#failures.push([store, why]);
    for (const listener of this.#listeners) listener(store, why);
  }

  listen(listener: (store: string, why: string) => void): void {
    this.#listeners.push(listener);
    for (const [store, why] of this.#failures) listener(store, why);
  }
}
