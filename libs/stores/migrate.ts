import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';
import type { Secret } from '#libs/platform/secret.js';
import { connectPostgres } from './connect-postgres.js';
import { migrations as allMigrations } from './migrations/index.js';

/** What a run of {@link migrate} did. */
export interface MigrationResult {
  /** Names of the migrations applied by this call, oldest first. */
  readonly applied: readonly string[];
}

type MigrationClass = new () => { up(runner: QueryRunner): Promise<void>; down(runner: QueryRunner): Promise<void> };

const LOCK_KEY = 7_306_080_176; // any number, the same in every version
const LOCK_WAIT_MS = 60_000;
const LOCK_TIMEOUT_MS = 2000;
const ATTEMPTS = 5;

/**
 * Brings the schema up to date. Instances that start together take turns (advisory lock, 60 s); each migration is one
 * transaction that waits at most 2 s for a table lock and is tried 5 times, so that running replicas are never held up.
 * Rejects without touching anything when the database was migrated by a newer version of the product.
 *
 * @param ownerUrl a role that may create tables
 * @param list for tests; default: every migration of this version
 */
export async function migrate(
  ownerUrl: Secret,
  list: readonly MigrationClass[] = allMigrations,
): Promise<MigrationResult> {
  // One connection carries the lock, the other one migrates.
  const source = await connectPostgres(ownerUrl, {
    poolSize: 2,
    applicationName: 'smartflow-migrate',
    statementTimeoutMs: 0,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    connectTimeoutMs: 5000,
    migrations: [...list],
  });
  try {
    const guard = source.createQueryRunner();
    try {
      await takeLock(guard);
      await refuseUnknown(guard, list);
      return { applied: await runWithRetries(source) };
    } finally {
      await guard.query(`SELECT pg_advisory_unlock_all()`).catch(() => {});
      await guard.release();
    }
  } finally {
    await source.destroy();
  }
}

async function takeLock(guard: QueryRunner): Promise<void> {
  const giveUpAt = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    const rows = (await guard.query(`SELECT pg_try_advisory_lock($1) AS got`, [LOCK_KEY])) as { got: boolean }[];
    if (rows[0]?.got === true) return;
    if (performance.now() > giveUpAt) {
      throw new Error(`another instance has been migrating the database for over ${LOCK_WAIT_MS / 1000} s`);
    }
    await sleep(100);
  }
}

async function refuseUnknown(guard: QueryRunner, list: readonly MigrationClass[]): Promise<void> {
  const table = (await guard.query(`SELECT to_regclass('migrations') AS oid`)) as { oid: string | null }[];
  if (table[0]?.oid == null) return;
  const known = new Set(list.map((migration) => migration.name));
  const rows = (await guard.query(`SELECT name FROM migrations ORDER BY "timestamp"`)) as { name: string }[];
  const unknown = rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new Error(
      `the database was migrated by a newer version of Smartflow (unknown: ${unknown.join(', ')}); ` +
        `start that version, or restore a backup made before the upgrade`,
    );
  }
}

async function runWithRetries(source: DataSource): Promise<string[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await source.runMigrations({ transaction: 'each' })).map((migration) => migration.name);
    } catch (error) {
      const code = (error as { driverError?: { code?: string } }).driverError?.code;
      if (code !== '55P03' || attempt === ATTEMPTS) throw error; // lock_not_available
      await sleep(200 * attempt);
    }
  }
}
