import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';

/** Statements on one connection. */
export interface Sql {
  /** The rows of the answer; int8 and numeric come as strings. */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

interface PoolingDriver {
  obtainMasterConnection(): Promise<[PoolClient, (error?: Error | boolean) => void]>;
}

/**
 * One connection of the source's pool for several statements. When `work` fails the connection is not used again: nobody
 * knows what it still holds (a lock, a transaction).
 */
export async function withConnection<T>(source: DataSource, work: (sql: Sql) => Promise<T>): Promise<T> {
  const [client, release] = await (source.driver as unknown as PoolingDriver).obtainMasterConnection();
  const onError = (): void => {}; // the statement under way tells it
  client.on('error', onError);
  let isSound = false;
  try {
    const result = await work({
      query: async <Row>(text: string, values?: readonly unknown[]) =>
        (await client.query(text, values as unknown[])).rows as Row[],
    });
    isSound = true;
    return result;
  } finally {
    client.off('error', onError);
    release(!isSound);
  }
}

/** Runs `work` as one transaction. */
export async function transaction<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  await sql.query('BEGIN');
  try {
    const result = await work();
    await sql.query('COMMIT');
    return result;
  } catch (error) {
    await sql.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
