import type { DataSource, QueryRunner } from 'typeorm';
import { changePartitions, plainName } from './partition-transaction.js';
import type { NativePartitioner } from './partitioner.postgres.js';
import type { PartitionPeriod, PremakeResult, TimePartitioner, TimeSeriesLevel } from './time-partitioner.js';

/**
 * Hypertables of TimescaleDB, by what both of its editions offer: chunks come by themselves and are dropped by hand.
 * A table that was created with native partitions (before the extension came) stays with them.
 */
export class HypertablePartitioner implements TimePartitioner {
  readonly level: TimeSeriesLevel;
  readonly #source: DataSource | QueryRunner;
  readonly #period: PartitionPeriod;
  readonly #native: NativePartitioner;

  constructor(
    source: DataSource | QueryRunner,
    period: PartitionPeriod,
    level: Exclude<TimeSeriesLevel, 'native'>,
    native: NativePartitioner,
  ) {
    this.#source = source;
    this.#period = period;
    this.level = level;
    this.#native = native;
  }

  async ensure(table: string): Promise<void> {
    if (await this.#isNative(table)) return this.#native.ensure(table);
    await changePartitions(this.#source, table, (sql) =>
      sql.query(
        `SELECT create_hypertable('${plainName(table)}', by_range('ts', INTERVAL '1 ${this.#period}'),
                                  create_default_indexes => false, if_not_exists => true)`,
      ),
    );
  }

  async premake(table: string, days: number): Promise<PremakeResult> {
    if (await this.#isNative(table)) return this.#native.premake(table, days);
    return { made: [], strays: 0 };
  }

  async cover(table: string, fromMs: number, toMs: number): Promise<void> {
    if (await this.#isNative(table)) await this.#native.cover(table, fromMs, toMs);
  }

  async dropBefore(table: string, ms: number): Promise<number> {
    if (await this.#isNative(table)) return this.#native.dropBefore(table, ms);
    const rows = (await changePartitions(this.#source, table, (sql) =>
      sql.query(`SELECT drop_chunks('${plainName(table)}', older_than => $1::timestamptz) AS chunk`, [new Date(ms)]),
    )) as { chunk: string }[];
    return rows.length;
  }

  async #isNative(table: string): Promise<boolean> {
    const rows = (await this.#source.query(`SELECT relkind::text AS kind FROM pg_class WHERE oid = $1::regclass`, [
      plainName(table),
    ])) as { kind: string }[];
    return rows[0]?.kind === 'p';
  }
}
