export { PostgresBudgetLedger, type BudgetLedgerOptions, type Patience } from './budgets/budget-ledger.postgres.js';
export { PostgresBudgetSums } from './budgets/budget-sums.postgres.js';
export type { RowChanges } from './budgets/commit-rows.postgres.js';
export { drainRows, type RowDrain } from './budgets/drain-rows.js';
export type { LedgerRow } from './budgets/ledger-row.js';
export type { OnChanges } from './budgets/process-end.postgres.js';
export type { ReconciledRow, TrueCost } from './budgets/reconcile.postgres.js';
export { RedisRowAcks } from './budgets/row-acks.redis.js';
export { PostgresRowWriter, type RowWriterOptions } from './budgets/row-writer.postgres.js';
export type { Sql } from './budgets/sql.postgres.js';
export { nanosToUsd } from './cost-usd.js';
export { BodyReader, type ReadBodies } from './read-bodies.js';
export { backOff, DrainControl } from './drain-control.js';
export { drainBodies } from './drain-bodies.js';
export { correctionOf, recost, type RecostReport, type RecostSum, type Reprice } from './recost.js';
export { observeBodies } from './sink-metrics.js';
export { KeyUseNotes, STAMP_EVERY_MS, type KeyStamp, type KeyStampStore, type KeyUsed } from './key-use.js';
export { LedgerModule, type LedgerModuleOptions } from './ledger.module.js';
export { MongoArchive } from './store/archive.mongo.js';
export { PostgresArchive } from './store/archive.postgres.js';
export {
  LOG_FACETS,
  MAX_RECORD_BYTES,
  type AppendResult,
  type ArchivedBody,
  type ArchiveHead,
  type ArchivePage,
  type ArchivePort,
  type ArchiveQuery,
  type ArchiveRecord,
} from './store/archive.js';
export { PostgresRecostStore } from './store/recost.postgres.js';
export type { Correction, RecostRange, RecostStore } from './store/recost-store.js';
export { RedisBodySink, type BodySinkOptions, type BodySinkStats } from './store/body-stream.redis.js';
export { deadLetterKey, RedisEntryReader, type EntryReaderOptions } from './store/entry-stream.redis.js';
export type { EntryReader, StreamEntry } from './store/entry-stream.js';
export type { UsageFilter, UsageLog, UsagePage, UsageQuery, UsageRow } from './store/usage-ledger.js';
export { PostgresSpendSums, type BudgetSum, type UnpricedCalls } from './store/spend-sums.postgres.js';
export { PostgresSpendReports } from './store/spend-reports.postgres.js';
export { PostgresKeyUse } from './store/key-use.postgres.js';
export { PostgresUsageLog } from './store/usage-log.postgres.js';
export {
  ARCHIVE_TABLE,
  keepPartitions,
  openPartitions,
  ROLLUP_TABLE,
  USAGE_TABLE,
  type PartitionedTable,
} from './store/keep-partitions.postgres.js';
export { BODY_STREAM, WORKER_GROUP } from './streams.js';
export type { BodyCapture, BodySink, UsageEvent } from './usage-event.js';
export {
  SPEND_DIMENSIONS,
  type DailySpend,
  type SpendDimension,
  type SpendFilter,
  type SpendPage,
  type SpendQuery,
  type SpendRange,
  type SpendReports,
  type SpendRow,
  type SpendSums,
} from './spend/spend-report.js';
export type { ZoneOfOrg } from './tokens.js';
