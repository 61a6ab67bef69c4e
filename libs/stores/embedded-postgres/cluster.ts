import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Secret } from '#libs/platform/secret.js';
import { giveTo, type Placement } from './placement.js';
import { ids } from './account.js';
import { CLEAN_ENVIRONMENT, type PostgresBinaries } from './binaries.js';
import { DATABASE, ROLES, type Credentials } from './credentials.js';

const run = promisify(execFile);
const INITDB_TIMEOUT_MS = 120_000;

/** Major version that made the data, or `null` when there is none yet. */
export function dataMajor(placement: Placement): number | null {
  const file = path.join(placement.data, 'PG_VERSION');
  if (!existsSync(placement.data)) return null;
  const { uid } = statSync(placement.data);
  const self = process.getuid?.();
  if (self !== undefined && self !== 0 && uid !== self) {
    throw new Error(
      `${placement.data} belongs to another account (uid ${uid}), made by a start as that account or as root: ` +
        `start as that one again, or use another data_dir`,
    );
  }
  const major = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : Number.NaN;
  if (Number.isInteger(major)) return major;
  throw new Error(`${placement.data} is not a PostgreSQL data folder (no readable PG_VERSION): move it away`);
}

/**
 * Makes the data folder: initdb in a folder of another name, which gets the final name once it is complete.
 * With `durable` the files are flushed to disk in the background while the server starts (two seconds saved).
 */
export async function createCluster(
  placement: Placement,
  binaries: PostgresBinaries,
  credentials: Credentials,
  durable: boolean,
): Promise<void> {
  const { home, data, account } = placement;
  for (const name of readdirSync(home)) {
    if (name.startsWith('data.new')) rmSync(path.join(home, name), { recursive: true, force: true });
  }
  const fresh = path.join(home, 'data.new');
  const passwordFile = path.join(home, 'data.new.pw');
  mkdirSync(fresh, { mode: 0o700 });
  giveTo(account, fresh);
  writeFileSync(passwordFile, credentials.admin.reveal(), { mode: 0o600 });
  giveTo(account, passwordFile);
  const options = { ...ids(account), cwd: '/', env: CLEAN_ENVIRONMENT };
  // Needs no locale of the host. PostgreSQL 16 does not know the builtin provider yet.
  const locale = binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : ['--locale=C'];
  const settings = ['-U', ROLES.admin, '-A', 'scram-sha-256', '-E', 'UTF8', ...locale, '--no-sync'];
  try {
    await run(binaries.initdb, ['-D', fresh, '--pwfile', passwordFile, ...settings], {
      ...options,
      timeout: INITDB_TIMEOUT_MS,
    });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`initdb failed in ${home}: ${(stderr || message).trim().slice(-2000)}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(fresh, data);
  if (durable) {
    spawn(binaries.initdb, ['--sync-only', '-D', data], { ...options, stdio: 'ignore', detached: true })
      .on('error', () => {}) // the server's own checkpoints still flush what it writes
      .unref();
  }
}

/** Makes owner, run-time role and database, or what of them is missing after an interrupted first start. */
export async function ensureRoles(adminUrl: (database: string) => Secret, credentials: Credentials): Promise<void> {
  await withClient(adminUrl('postgres'), async (client) => {
    const { rows } = await client.query<{ rolname: string }>('SELECT rolname FROM pg_roles');
    const known = new Set(rows.map((row) => row.rolname));
    for (const role of ['owner', 'app'] as const) {
      if (known.has(ROLES[role])) continue;
      const password = client.escapeLiteral(credentials[role].reveal());
      await client.query(
        `CREATE ROLE ${ROLES[role]} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${password}`,
      );
    }
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await createDatabase(client, DATABASE);
  });
  await withClient(adminUrl(DATABASE), grantRunTimeRole);
}

/** Creates one more database with the same owner and rights (tests: one each). `name` must be a plain identifier. */
export async function createOwnedDatabase(adminUrl: (database: string) => Secret, name: string): Promise<void> {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`not a plain database name: ${name}`);
  await withClient(adminUrl('postgres'), (client) => createDatabase(client, name));
  await withClient(adminUrl(name), grantRunTimeRole);
}

async function createDatabase(client: pg.Client, name: string): Promise<void> {
  await client.query(`CREATE DATABASE ${name} OWNER ${ROLES.owner}`);
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  await client.query(`GRANT CONNECT ON DATABASE ${name} TO ${ROLES.app}`);
}

/** Whatever the owner makes from now on, the run-time role may use: rows, not definitions. */
async function grantRunTimeRole(client: pg.Client): Promise<void> {
  const defaults = `ALTER DEFAULT PRIVILEGES FOR ROLE ${ROLES.owner} IN SCHEMA public GRANT`;
  await client.query(`REVOKE CREATE ON SCHEMA public FROM PUBLIC`);
  await client.query(`GRANT USAGE ON SCHEMA public TO ${ROLES.app}`);
  await client.query(`${defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${ROLES.app}`);
  await client.query(`${defaults} USAGE, SELECT ON SEQUENCES TO ${ROLES.app}`);
}

async function withClient<T>(url: Secret, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url.reveal(),
    connectionTimeoutMillis: 10_000,
    query_timeout: 30_000,
    application_name: 'smartflow-launcher',
  });
  client.on('error', () => {});
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
