import type { DataSource } from 'typeorm';
import type { Logger } from '#libs/platform/logger.js';
import { timePartitioner, type PartitionPeriod } from '#libs/stores/index.js';

const DAY_MS = 86_400_000;

/** A table cut by time, and how far ahead its partitions are made. */
export interface PartitionedTable {
  readonly name: 'usage_events' | 'usage_rollups' | 'archive_records';
  readonly period: PartitionPeriod;
  readonly aheadDays: number;
}

export const USAGE_TABLE: PartitionedTable = { name: 'usage_events', period: 'day', aheadDays: 7 };
export const ROLLUP_TABLE: PartitionedTable = { name: 'usage_rollups', period: 'month', aheadDays: 31 };
export const ARCHIVE_TABLE: PartitionedTable = { name: 'archive_records', period: 'month', aheadDays: 31 };

/** Makes a table ready for rows of any time. @param source connected as the table's owner */
export async function openPartitions(source: DataSource, { name, period }: PartitionedTable): Promise<void> {
  await (await timePartitioner(source, period)).ensure(name);
}

/** Makes the partitions ahead of time, and drops those whose rows are all older than `retentionDays`. */
export async function keepPartitions(
  source: DataSource,
  { name, period, aheadDays }: PartitionedTable,
  retentionDays: number,
  logger: Logger,
): Promise<void> {
  const partitioner = await timePartitioner(source, period);
  const { made, strays } = await partitioner.premake(name, aheadDays);
  if (strays > 0) logger.warn({ table: name, rows: strays }, 'rows from far in the future: a clock is wrong');
  const dropped = await partitioner.dropBefore(name, Date.now() - retentionDays * DAY_MS);
  if (made.length + dropped > 0)
    logger.info({ table: name, made: made.length, dropped }, 'partitions made and dropped');
}
