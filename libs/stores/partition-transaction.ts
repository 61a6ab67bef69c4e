import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource, QueryRunner } from 'typeorm';

const ATTEMPTS = 5;

/** Throws unless the name can stand in SQL as it is. */
export function plainName(table: string): string {
  if (!/^[a-z_][a-z0-9_]{0,50}$/.test(table)) throw new Error(`not a plain table name: ${table}`);
  return table;
}

/**
 * Runs `change` in a transaction in which only one instance works on the partitions of `table`. Waiting for a lock ends
 * after 2 s and is tried five times. Inside a transaction of the caller (a migration) it simply takes part.
 */
export async function changePartitions<T>(
  source: DataSource | QueryRunner,
  table: string,
  change: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  const turn = `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`;
  const name = `smartflow:partitions:${table}`;
  if (!('createQueryRunner' in source) && source.isTransactionActive) {
    await source.query(turn, [name]);
    return change(source);
  }
  for (let attempt = 1; ; attempt++) {
    const runner = 'createQueryRunner' in source ? source.createQueryRunner() : source;
    try {
      await runner.startTransaction();
      await runner.query(`SET LOCAL lock_timeout = '2s'`);
      await runner.query(turn, [name]);
      const result = await change(runner);
      await runner.commitTransaction();
      return result;
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => {});
      const code = (error as { driverError?: { code?: string } }).driverError?.code;
      if (code !== '55P03' || attempt === ATTEMPTS) throw error; // lock_not_available
    } finally {
      if (runner !== source) await runner.release();
    }
    await sleep(200 * attempt);
  }
}
