/**
 * What the database can do with time series: `timescale` hypertables and policies, `apache` hypertables alone, `native`
 * range partitions. The product needs no more than `native`.
 */
export type TimeSeriesLevel = 'timescale' | 'apache' | 'native';

/** Length of one partition; begins and ends in UTC. */
export type PartitionPeriod = 'day' | 'month';

export interface PremakeResult {
  /** Partitions made by this call. */
  readonly made: readonly string[];
  /** Rows left in the DEFAULT partition: times in the far future. More than none is worth an alert. */
  readonly strays: number;
}

/**
 * Time partitions of tables whose time column is `ts timestamptz`. Needs the schema's owner. Calls may race: instances
 * take turns per table. A table lock is waited for at most 2 s at a time, so that inserts are never held up for long.
 * `table` is a plain identifier.
 */
export interface TimePartitioner {
  readonly level: TimeSeriesLevel;
  /** Makes the table ready for inserts at any time: DEFAULT partition, a week of partitions; or a hypertable. */
  ensure(table: string): Promise<void>;
  /** Makes the partitions from today to `days` ahead, and those that rows in DEFAULT belong to, moving these rows. */
  premake(table: string, days: number): Promise<PremakeResult>;
  /**
   * Makes the partitions that hold rows from `fromMs` to `toMs` (inclusive), as far as they lie within 35 periods back
   * and 35 days ahead: rows of an absurd clock belong to DEFAULT.
   */
  cover(table: string, fromMs: number, toMs: number): Promise<void>;
  /** Drops the partitions that end at or before `ms` (since 1970); answers how many. Deletes no single row. */
  dropBefore(table: string, ms: number): Promise<number>;
}
