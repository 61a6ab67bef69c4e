import type { DataSource, QueryRunner } from 'typeorm';
import { NativePartitioner } from './partitioner.postgres.js';
import { HypertablePartitioner } from './partitioner.timescale.js';
import type { PartitionPeriod, TimePartitioner, TimeSeriesLevel } from './time-partitioner.js';

/** The partitioner for what the database offers. */
export async function timePartitioner(
  source: DataSource | QueryRunner,
  period: PartitionPeriod = 'day',
): Promise<TimePartitioner> {
  const level = await timeSeriesLevel(source);
  const native = new NativePartitioner(source, period);
  return level === 'native' ? native : new HypertablePartitioner(source, period, level, native);
}

/** Detects the level by extension and licence. */
export async function timeSeriesLevel(source: DataSource | QueryRunner): Promise<TimeSeriesLevel> {
  const rows = (await source.query(
    `SELECT current_setting('timescaledb.license', true) AS licence FROM pg_extension WHERE extname = 'timescaledb'`,
  )) as { licence: string | null }[];
  if (rows.length === 0) return 'native';
  return rows[0]?.licence === 'timescale' ? 'timescale' : 'apache';
}

/**
 * For the end of a migration's CREATE TABLE: `PARTITION BY RANGE (ts)` on the native level, nothing where `ensure` makes
 * a hypertable of the table.
 */
export async function partitionClause(runner: QueryRunner): Promise<string> {
  return (await timeSeriesLevel(runner)) === 'native' ? 'PARTITION BY RANGE (ts)' : '';
}

const DAY_MS = 86_400_000;

/** The partitions of one table, for a writer that knows the times of its rows. */
export interface TablePartitions {
  /** Makes what rows from `fromMs` to `toMs` (both inclusive) need. Asks the database only about times not seen before. */
  ensure(fromMs: number, toMs: number): Promise<void>;
  /** As `TimePartitioner.dropBefore`. */
  dropBefore(timeMs: number): Promise<number>;
}

/** Binds a {@link TimePartitioner} to one table; the level is detected at the first call. */
export function timePartitions(source: DataSource, table: string, period: PartitionPeriod = 'day'): TablePartitions {
  let partitioner: Promise<TimePartitioner> | null = null;
  let known: { fromMs: number; toMs: number } | null = null;
  const open = async (): Promise<TimePartitioner> => {
    partitioner ??= timePartitioner(source, period);
    return partitioner.catch((error: unknown) => {
      partitioner = null; // the next call asks again
      throw error;
    });
  };
  return {
    ensure: async (fromMs, toMs) => {
      if (known !== null && known.fromMs <= fromMs && toMs <= known.toMs) return;
      const wider: { fromMs: number; toMs: number } = {
        fromMs: Math.min(Math.floor(fromMs / DAY_MS) * DAY_MS, known?.fromMs ?? Infinity),
        toMs: Math.max((Math.floor(toMs / DAY_MS) + 1) * DAY_MS - 1, known?.toMs ?? -Infinity), // the day's last ms
      };
      await (await open()).cover(table, wider.fromMs, wider.toMs);
      known = wider;
    },
    dropBefore: async (timeMs) => {
      known = null;
      return (await open()).dropBefore(table, timeMs);
    },
  };
}
