import { DataSource, type Logger, type MixedList } from 'typeorm';
import type { Secret } from '#libs/platform/secret.js';
import { addressOf, withoutPassword } from './store-urls.js';

/** Settings of one pool of PostgreSQL connections. */
export interface PostgresOptions {
  /** Largest number of connections. */
  readonly poolSize: number;
  /** Shown in `pg_stat_activity`. */
  readonly applicationName: string;
  /** The server ends a statement that runs longer; default 15 s. 0: no limit (migrations only). */
  readonly statementTimeoutMs?: number;
  /** The server gives up waiting for a lock after this; default 0, the statement's limit alone. */
  readonly lockTimeoutMs?: number;
  /** Longest wait for a connection, from the pool or the network; default 3 s. */
  readonly connectTimeoutMs?: number;
  readonly entities?: MixedList<new () => unknown>;
  /** Known to the source, run by `migrate` alone. */
  readonly migrations?: MixedList<new () => unknown>;
}

/** Errors reach whoever called; TypeORM's own lines would go to the console past our logger, parameters and all. */
const SILENT: Logger = {
  logQuery: () => {},
  logQueryError: () => {},
  logQuerySlow: () => {},
  logSchemaBuild: () => {},
  logMigration: () => {},
  log: () => {},
};

/**
 * An initialised TypeORM DataSource over `pg`. It never changes the schema (`synchronize` off, no extensions installed).
 * Waiting for a connection, for the server and for a dead peer is bounded. The caller ends it with `destroy()`.
 * Rejects when the server cannot be reached; the message names host and port, never the password.
 */
export async function connectPostgres(url: Secret, options: PostgresOptions): Promise<DataSource> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 15_000;
  const source = new DataSource({
    type: 'postgres',
    url: url.reveal(),
    synchronize: false,
    logger: SILENT,
    installExtensions: false,
    entities: options.entities ?? [],
    migrations: options.migrations ?? [],
    poolSize: options.poolSize,
    applicationName: options.applicationName,
    connectTimeoutMS: options.connectTimeoutMs ?? 3000,
    // A lost idle connection is replaced on the next use; the error has no one to go to.
    poolErrorHandler: () => {},
    extra: {
      keepAlive: true,
      idleTimeoutMillis: 30_000,
      statement_timeout: statementTimeoutMs,
      lock_timeout: options.lockTimeoutMs ?? 0,
      // A frozen server enforces no timeout of its own: the client gives up a little later.
      ...(statementTimeoutMs === 0 ? {} : { query_timeout: statementTimeoutMs + 1000 }),
    },
  });
  try {
    return await source.initialize();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`PostgreSQL at ${addressOf(url)} cannot be used: ${withoutPassword(why, url)}`);
  }
}
