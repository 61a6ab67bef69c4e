// Real embedded servers for tests, each in a temporary folder of its own, gone with `stop()`.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Secret } from '#libs/platform/secret.js';
import { createOwnedDatabase } from './embedded-postgres/cluster.js';
import { startEmbeddedPostgres } from './embedded-postgres/launch.js';
import { startEmbeddedRedis } from './embedded-valkey/launch.js';
import { endProcess } from './processes.js';

// For proofs that kill a server and start it again on its folder.
export { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres/launch.js';
export type { EmbeddedRedis } from './embedded-valkey/embedded-redis.js';
export { startEmbeddedRedis } from './embedded-valkey/launch.js';

/** URLs of one database: of the schema's owner and of the run-time role. */
export interface TestDatabase {
  readonly ownerUrl: Secret;
  readonly appUrl: Secret;
}

export interface TestPostgres extends TestDatabase {
  /** One more empty database on the same server (tens of milliseconds). Apply `migrate(ownerUrl)` as needed. */
  createDatabase(): Promise<TestDatabase>;
  stop(): Promise<void>;
}

/** A bundled PostgreSQL, ready in a second or two. It does not wait for the disk: nothing survives a power loss. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const folder = temporaryFolder('sf-test-pg-');
  const server = await startEmbeddedPostgres({
    folder: path.join(folder, 'postgres'),
    wanted: 'bundled',
    durable: false,
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' },
  }).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const { owner, app, admin } = server.urls;
  return {
    ownerUrl: owner,
    appUrl: app,
    createDatabase: async () => {
      const name = `test_${randomBytes(6).toString('hex')}`;
      await createOwnedDatabase(admin, name);
      return { ownerUrl: withDatabase(owner, name), appUrl: withDatabase(app, name) };
    },
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface TestRedis {
  readonly url: Secret;
  stop(): Promise<void>;
  /** Ends the server without warning (SIGKILL); its folder is removed by `stop()`. */
  kill(): Promise<void>;
}

/** The bundled Valkey, ready in half a second. */
export async function startTestRedis(): Promise<TestRedis> {
  const folder = temporaryFolder('sf-test-redis-');
  const server = await startEmbeddedRedis({ folder: path.join(folder, 'redis'), wanted: 'bundled' }).catch(
    (error: unknown) => {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    },
  );
  return {
    url: server.url,
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
    kill: async () => {
      await endProcess(server.pid, [{ signal: 'SIGKILL', waitMs: 2000 }]);
    },
  };
}

/** Root's PostgreSQL runs under another account, which must be able to pass the folder. */
function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), prefix));
  if (process.getuid?.() === 0) chmodSync(folder, 0o711);
  return folder;
}

function withDatabase(url: Secret, name: string): Secret {
  const parsed = new URL(url.reveal());
  parsed.pathname = `/${name}`;
  return new Secret(parsed.href);
}
